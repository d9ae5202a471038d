"""What a verifier signs is on its disk first: memory, secrets, signatures."""
