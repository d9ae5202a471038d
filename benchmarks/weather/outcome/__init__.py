"""What came of it: proofs and their ends, lines of processes, and when each party was back in its work."""
