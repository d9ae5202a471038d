"""FastAPI over the ledger: routes parse, call one ledger function and return. Never loads torch."""
