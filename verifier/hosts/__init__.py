"""A supplier's host: what it serves to verifiers and renters, and how a verifier measures it."""
