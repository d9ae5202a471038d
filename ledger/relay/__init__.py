"""Transactions of the relayer: called for, signed, sent, settled, and paid within a budget."""
