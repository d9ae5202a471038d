"""Epochs on the chain: root, challenge window, claims and receipts."""
