"""What a model starts with, and how everybody who joins checks that it did."""
