"""verifier/receipt: put together and checked without a network."""
