"""Sampling, replay, comparison and verdicts. Never opens the ledger's database."""
