"""Text as tokens, and which of them a step trains on."""
