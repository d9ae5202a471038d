"""Mutants of who is there, and of what a stake counts for: J4, J6, J12, J14, J16."""

from __future__ import annotations

from tests.adversary.mutants.core import Mutant

MUTANTS: dict[str, Mutant] = {
    "who was taken off the list counts": Mutant(
        "J4",
        "presence",
        "if verifier.admitted and (verifier.stake",
        "if (verifier.stake",
        ("I8",),
        ("verifier-leaves",),
    ),
    "who fell below the least stake speaks on": Mutant(
        "J4",
        "presence",
        "if state.verifiers[name].stake >= state.least_stake)",
        "if True)",
        ("I8",),
        ("two-words", "liar-on-true", "silent-seat"),
    ),
    "who fell below the least stake stops every run": Mutant(
        "J4",
        "presence",
        "and (verifier.stake >= state.least_stake or verifier.slashed)",
        "and verifier.stake >= state.least_stake",
        ("I5",),
        ("two-words", "liar-on-true", "silent-seat"),
    ),
    "more nodes than the manifest bounds take part": Mutant(
        "J4", "presence", "able[: terms.max_nodes]", "able", ("I8",), ("few-places",)
    ),
    "who delivered makes room for a greater stake": Mutant(
        "J4", "presence", "(not x[1].delivered, x[1].away", "(x[1].away", ("I8",), ("few-places",)
    ),
    "a profile need not be on the manifest's list": Mutant(
        "J4",
        "presence",
        "if fact.profile not in run.created.terms.profiles:",
        "if False:",
        ("I8", "Effect"),
        ("strangers",),
        seeds=35,
    ),
    "a return need not know of the lapse": Mutant(
        "J12",
        "presence",
        "if since is None or not since < fact.size < state.size:",
        "if since is None:",
        ("I8",),
        ("silent-seat",),
        seeds=17,
    ),
    "a stake counts in every run": Mutant(
        "J14",
        "presence",
        "return max(0, state.stakes.get(node, 0) - state.reserved.get(node, 0))",
        "return state.stakes.get(node, 0)",
        ("I7", "I8"),
        ("one-stake", "honest"),
    ),
    "a creator's nonce serves twice": Mutant(
        "J16", "presence", "if fact.run in state.runs or key in state.nonces:", "if False:", ("I6",), ("strangers",)
    ),
    "a node takes part that too few can judge": Mutant(
        "J4",
        "presence",
        "if len(able) < 2 * state.k - 1:",
        "if False:",
        ("I5", "I8"),
        ("few-pairs",),
        seeds=11,
    ),
}
