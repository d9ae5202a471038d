"""I9: with everybody honest and nobody away every proof is posted, quietly and within a stated number of messages.

M of a deployment = for each run: n `Anchored` and one `Enrolled` a node; for each round: n `Seen`, n `Secret`, n
`MergeSigned`; for each proof: one `Committed`, n `Has`, one `PledgeOpened`, and for each of its p seats the openings of
s + 1 segments (its samples and the common one, both ends each), its words and its trace.

    M(n, nodes, p, s, proofs of each round) = runs (n + nodes) + sum over rounds (3 n + proofs (2 + n + p (2 s + 4)))

with p = max(k, panel), or n where the manifest says 0.
"""

from __future__ import annotations

from collections.abc import Iterator

from contracts.protocol.judge import entries as derived
from contracts.protocol.judge.facts import Lapse
from tests.adversary.invariants.core import Breach, Invariant
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.tables import MESSAGES

STRATEGY = "honest"
LOUD = (Lapse, derived.Lapsed, derived.SeatsFilled, derived.BenchCalled, derived.Overruled, derived.VerifierFault)


def messages_of_a_round(n: int, seats: int, samples: int, proofs: int) -> int:
    """What n verifiers and the nodes of so many proofs send in a round at most."""
    return 3 * n + proofs * (2 + n + seats * (2 * samples + 4))


def messages_of_a_run(n: int, nodes: int) -> int:
    """What they send before its first round at most."""
    return n + nodes


def _applies(reading: Reading) -> bool:
    history = reading.history
    return history.strategy == STRATEGY and set(history.present) >= set(history.verifiers)


def nobody_is_late(reading: Reading) -> Iterator[Breach]:
    """No lapse is entered, nobody replaced, no bench called and nobody overruled or at fault."""
    for index, entry in enumerate(reading.history.entries) if _applies(reading) else ():
        if isinstance(entry, LOUD):
            yield index, f"everybody is honest, and there is {type(entry).__name__}"


def everything_is_posted(reading: Reading) -> Iterator[Breach]:
    """Every proof that was committed is posted."""
    for proof, committed, _ in reading.committed():
        if _applies(reading) and proof.posted is None:
            yield proof.committed[0][0], f"everybody is honest, and {committed.proof} is not posted"


def _seats(reading: Reading, run: str) -> int:
    terms, history = reading.terms(run), reading.history
    panel = terms.panel if terms is not None else 0
    return max(history.k, panel) if panel else len(history.verifiers)


def rounds_are_short(reading: Reading) -> Iterator[Breach]:
    """A round takes at most its number of messages."""
    for (run, number), round_ in reading.rounds.items():
        terms = reading.terms(run)
        if not _applies(reading) or terms is None or not round_.opened:
            continue
        n = len(reading.history.verifiers)
        limit = messages_of_a_round(n, _seats(reading, run), terms.samples, len(round_.proofs))
        if round_.messages > limit:
            yield round_.opened[0][0], f"round {number} of {run} took {round_.messages} messages, more than {limit}"


def history_is_short(reading: Reading) -> Iterator[Breach]:
    """The whole history takes at most M messages, counted in the log and by the simulator."""
    history, n = reading.history, len(reading.history.verifiers)
    if not _applies(reading):
        return
    limit = 0
    for run in reading.runs.values():
        limit += messages_of_a_run(n, len({enrolled.node for _, enrolled in run.enrolled}))
        samples = run.created[0][1].terms.samples if run.created else 0
        for round_ in run.rounds:
            limit += messages_of_a_round(n, _seats(reading, run.name), samples, len(round_.proofs))
    counted = sum(type(entry) in MESSAGES for entry in history.entries)
    if max(counted, history.messages) > limit:
        yield len(history.entries) - 1, f"{max(counted, history.messages)} messages were sent, more than {limit}"


INVARIANT = Invariant("I9", (nobody_is_late, everything_is_posted, rounds_are_short, history_is_short))
check = INVARIANT.check
