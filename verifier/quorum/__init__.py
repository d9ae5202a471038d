"""Signatures of k verifiers for contracts: stored, shown, collected, and brought to the chain if no server does."""
