"""The routes, one module a group. Each parses, calls one function of the ledger, and returns."""
