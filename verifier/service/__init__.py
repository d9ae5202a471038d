"""The verifier process: a mirror, a replica of the machine, and the duties that the machine names, look by look.

Nothing here trusts a view: duties follow from the log that lies under heads of the operator and was read with the
machine (verifier/replica/replica.py), from the own chain, and from bytes that hash to signed digests.
"""
