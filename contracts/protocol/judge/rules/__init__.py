"""The rules, one module an idea: presence, rounds, reading, verdicts, merges, epochs."""
