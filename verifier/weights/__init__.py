"""Weights of a merged round, taken home under the heads that k verifiers signed."""
