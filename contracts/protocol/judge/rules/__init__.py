"""The rules of judgement by idea: presence, rounds, reading, verdicts, merges, epochs."""
