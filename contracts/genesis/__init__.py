"""The creation of a model, and its check by everybody who joins."""
