"""A verifier as a mirror: it serves its log, messages and blobs, and hands them on (docs/judge.md, J1).

Nothing here decides about pay: the machine does (contracts/protocol/judge). The owner of a mirror gives it the
machine's answers as functions: whether a message is welcome, which blobs were announced, whether the log holds.
"""
