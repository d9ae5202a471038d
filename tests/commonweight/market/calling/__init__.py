"""What all adapters call by."""
