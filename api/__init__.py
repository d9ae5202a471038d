"""The HTTP server over the ledger. A route parses, calls one ledger function and returns. It never loads torch."""
