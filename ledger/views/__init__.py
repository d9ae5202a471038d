"""What people read of runs, rounds and proofs: documents that follow from the log, entry by entry.

Nobody is paid by them: the machine decides (contracts/protocol/judge), and money has its own rows. They may be thrown
away and made anew.
"""
