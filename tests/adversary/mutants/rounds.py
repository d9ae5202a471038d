"""Mutants of lapses and of a round until its panel is drawn: J1 to J7."""

from __future__ import annotations

from tests.adversary.mutants.core import Mutant

MUTANTS: dict[str, Mutant] = {
    "one verifier's word makes a lapse": Mutant(
        "J3",
        "lapses",
        "        if len(pending.words) >= k:",
        "        if pending.words:",
        ("I2", "I8"),
        ("early-lapses",),
    ),
    "anybody's word counts for a lapse": Mutant(
        "J3", "lapses", "if fact.verifier not in current.verifiers:", "if False:", ("I2", "I8", "Effect"), ("crowd",)
    ),
    "a lapse counts though what it is about came": Mutant(
        "J3",
        "lapses",
        "scope.past[awaited, pending.since] = pending.words\n        del state.open[awaited]",
        "scope.awaits[awaited] = pending",
        ("I5", "I8"),
        ("honest", "early-lapses"),
    ),
    "words about the first period count in the second": Mutant(
        "J3",
        "lapses",
        "if pending is None or pending.since != fact.since:",
        "if pending is None:",
        ("I8", "I2"),
        ("late-openings", "withheld-pledge", "early-lapses"),
    ),
    "whoever is no verifier of the round speaks": Mutant(
        "J2", "held", "if verifier not in current.verifiers:", "if False:", ("I1", "I8", "Effect"), ("crowd",), seeds=10
    ),
    "a lapsed node is awaited again at once": Mutant(
        "J4",
        "rounds",
        "run.nodes[node].away = state.size - 1",
        "pass",
        ("I8",),
        ("late-commitment", "comings-and-goings"),
    ),
    "who delivers is not awaited after it": Mutant(
        "J4",
        "rounds",
        "member.away = None if member.delivered else member.away",
        "pass",
        ("I8",),
        ("late-commitment", "comings-and-goings", "few-places"),
        seeds=82,
    ),
    "a round takes what fewer than k hold": Mutant(
        "J5",
        "rounds",
        "if len(state.proofs[name].has) >= current.k)",
        "if state.proofs[name].has)",
        ("I1", "I8"),
        ("half-commitment", "double-proof"),
        seeds=11,
    ),
    "a round closes without its late nodes": Mutant(
        "J5",
        "rounds",
        "if current.phase is not Phase.OPEN or current.awaits or state.block is None:",
        "if current.phase is not Phase.OPEN or not current.proofs or state.block is None:",
        ("I2", "I8"),
        ("honest",),
    ),
    "a commitment counts after its round closed": Mutant(
        "J5",
        "rounds",
        '        raise OutOfTime(f"round {fact.round} is closed")',
        "        pass",
        ("I5",),
        ("late-commitment",),
    ),
    "a node commits twice to a round": Mutant(
        "J5",
        "rounds",
        "if fact.node in current.proofs or fact.proof in state.proofs:",
        "if fact.proof in state.proofs:",
        ("I1", "I5", "I6", "I8"),
        ("double-proof",),
    ),
    "a beacon draws though nobody saw the closing entry": Mutant(
        "J5",
        "rounds",
        "    if not waiting or not _seen(current):\n",
        "    if not waiting:\n",
        ("I8",),
        ("operator-hides-blocks", "chain-stands"),
    ),
    "those who saw two logs count together": Mutant(
        "J5", "rounds", "    roots.check(state, fact.index, fact.root)\n", "", ("I8",), ("late-seen",)
    ),
    "after a missed beacon the coin is thrown all the same": Mutant(
        "J5",
        "rounds",
        "rate = MILLION if current.missed else current.listed[node].rate",
        "rate = current.listed[node].rate",
        ("I8",),
        ("sleeper",),
        seeds=9,
    ),
    "whoever enters blocks may pass over the beacon": Mutant(
        "J5", "rounds", "current.beacon_time <= fact.parent_time:", "False:", ("I8",), ("operator-passes-blocks",)
    ),
    "an older block is entered once more": Mutant(
        "J5",
        "rounds",
        "(fact.number <= last.number or fact.time < last.time):",
        "False:",
        ("I8",),
        ("operator-passes-blocks",),
    ),
    "a commitment is not bound to the round": Mutant(
        "J7",
        "rounds",
        "if committed != inputs or (fact.segments, fact.tokens) != sizes:",
        "if False:",
        ("I1", "I6"),
        ("unbound",),
    ),
    "who lapsed is seated again": Mutant(
        "J12",
        "rounds",
        "present = tuple(name for name in order if name not in run.away)",
        "present = order",
        ("I8",),
        ("silent-seat", "late-secret", "silent-verifier", "away"),
        seeds=13,
    ),
    "who was overruled sits where it was drawn": Mutant(
        "J12",
        "rounds",
        "(v in run.away, run.behind.get(v, 0) >= current.number)",
        "v in run.away",
        ("I8",),
        ("liar-on-true", "liar-on-false", "two-words"),
    ),
    "who has no calibrated pair sits": Mutant(
        "J8",
        "rounds",
        "able = judges(run, sorted(current.verifiers), proof.commitment.profile)",
        "able = sorted(current.verifiers)",
        ("I8",),
        ("few-pairs",),
    ),
}
