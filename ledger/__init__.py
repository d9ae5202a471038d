"""Runs, rounds, journal, transparency log, epochs, outbox and indexer. Never loads torch."""
