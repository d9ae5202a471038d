"""The light node: its states, and its actions in each."""
