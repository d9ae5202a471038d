"""A node: its states, and what it does in each."""
