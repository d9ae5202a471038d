"""Merkle trees: the log of RFC 6962, and payouts as the distributor checks them."""
