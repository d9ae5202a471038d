"""What HTTP takes and answers."""
