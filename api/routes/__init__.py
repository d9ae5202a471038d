"""One module for each group of routes: parse, call one function of the ledger, return."""
