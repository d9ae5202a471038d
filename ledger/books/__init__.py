"""The books that an entry writes in its transaction: the log, the journal, and the lines of an epoch."""
