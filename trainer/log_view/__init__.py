"""The log as a node reads it: covered by heads of k verifiers."""
