"""The log for a node: entries under heads of k verifiers."""
