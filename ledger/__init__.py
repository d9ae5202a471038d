"""The server's state: log, journal, epochs, outbox, indexer and governance. The package never loads torch."""
