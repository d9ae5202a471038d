"""The replay and explanation of one proof, for anyone."""
