"""The corpus as tokens, and the batch of each step."""
