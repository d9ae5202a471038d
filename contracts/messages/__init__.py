"""Signed messages: their EIP-712 structs, for contracts and for the log, and their signatures."""
