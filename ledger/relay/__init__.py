"""The relayer's transactions: enqueued, signed, sent, settled, and paid within a budget."""
