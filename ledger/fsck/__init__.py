"""fsck: derives every balance, root and payout again, from the log alone, and compares with database and chain.

rows       each row carries the seal that was written with it                  (a bit that flipped)
tree       each leaf and node of the log; each epoch's root over its leaves     (a leaf that changed)
derived    transfers, ends, payouts and epochs that follow from the log         (a row that was made up or lost)
onchain    events, roots and supply                                             (a database and a chain that part)
"""
