"""Documents of runs, rounds and proofs for people: they follow from the log, entry by entry.

Nobody is paid by them: the machine decides (contracts/protocol/judge), and money has its own rows. The documents may be
deleted and made anew.
"""
