"""What is written in the transaction of an entry: the log, the journal, and the lines of an epoch."""
