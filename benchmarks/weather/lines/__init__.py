"""The lines between parties, and the gusts on them: what a relay does with requests, and a clock with time."""
