"""fsck: judges the log anew, derives every row from it, and compares with database and chain.

rows       each row carries the seal that was written with it                  (a bit that flipped)
tree       each leaf and node of the log; each epoch's root over its leaves     (a leaf that changed)
journal    transfers, ends, payouts, closings, epochs, announced blobs          (a row that was made up or lost)
views      the documents that people read                                       (one that says another thing)
onchain    events, roots and supply                                             (a database and a chain that part)
governance proposals, votes and their counts                                    (a vote that was made up or lost)
"""
