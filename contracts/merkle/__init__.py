"""Merkle trees: the log's tree of RFC 6962, and the payout tree of the distributor."""
