"""Epochs on the chain: root, window, claims and receipts."""
