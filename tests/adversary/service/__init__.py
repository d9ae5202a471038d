"""The same seeds against the real service: each fact as a signed message, through the server's door, into its database.

`serve` plays a seed in the simulator, says each fact of its log in the real message, and compares what the server
derives with what the simulator's machine derived: entry by entry, then the ends and the books. Only what a beacon draws
is injected (twin.py); signatures, digests, trees, seals, configurations, payouts and the database are real. What an
operator of the simulator writes instead of a derived entry is not entered, since the server derives by itself.

What the simulator has and no real message says:
- one sample a seat, which a manifest may not ask for: plans are played with two at least.
- a decision about `tokens`: holders cannot vote on a round's size. `clip`, which decides nothing here, is voted on, and
  tokens and payouts are compared in each side's own numbers (compare.py).
- an opening or a pledge that a stranger sends about somebody's proof: the message names no author, and the door takes
  it from the node alone. Here the node says it, so that the machine refuses it for its own reason.
- a fact refused as said already, where the very message stands in the log: the door answers as it did the first time.
- `Rules` and `Block`, which are the operator's own entries and no messages: they come without the door.
"""

from __future__ import annotations

from tests.adversary.service.serve import Different, Served, serve

__all__ = ["Different", "Served", "serve"]
