"""The rules of judgement by idea: presence, rounds, seats, lapses, the full bench, verdicts, merges, epochs, duties."""
