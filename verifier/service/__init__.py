"""The verifier process: look by look."""
