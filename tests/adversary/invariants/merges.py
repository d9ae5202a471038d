"""I1, second half: weights follow from exactly the gradients posted at the merge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from contracts.protocol.judge.facts import MergeSigned
from tests.adversary.invariants import paid
from tests.adversary.invariants.core import Breach, Invariant
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import Round, Run, earlier


def members_are_the_posted(reading: Reading) -> Iterator[Breach]:
    """A merge set is what was posted of its round before it, in order of node."""
    for round_ in reading.rounds.values():
        for index, merge_set in round_.merge_sets:
            posted = [proof for proof in round_.proofs if proof.posted is not None and proof.posted[0] < index]
            posted.sort(key=lambda proof: proof.committed[0][1].node.lower())
            if merge_set.proofs != tuple(proof.name for proof in posted):
                yield index, f"the merge set is {merge_set.proofs}, posted are {[proof.name for proof in posted]}"


def gradients_are_the_committed(reading: Reading) -> Iterator[Breach]:
    """Its digests are those that the nodes committed to."""
    for round_ in reading.rounds.values():
        for index, merge_set in round_.merge_sets:
            proofs = [reading.proofs.get(name) for name in merge_set.proofs]
            digests = tuple(proof.committed[0][1].gradient for proof in proofs if proof and proof.committed)
            if merge_set.gradients != digests:
                yield index, f"the merge set names {merge_set.gradients}, committed are {digests}"


def merge_is_signed(reading: Reading) -> Iterator[Breach]:
    """k verifiers of the round signed the merged state after its merge set; an empty set leaves the old state."""
    for round_ in reading.rounds.values():
        for index, merged in round_.merged:
            state = (merged.theta, merged.momentum)
            sets = [(at, merge_set) for at, merge_set in round_.merge_sets if at < index]
            if not sets:
                yield index, f"round {round_.key} merges without a merge set"
            elif not sets[0][1].proofs:
                opened = round_.opened[0][1] if round_.opened else None
                if opened is None or state != (opened.theta, opened.momentum):
                    yield index, f"round {round_.key} merges nothing and its state changes"
            elif (count := _signers(round_, sets[0][0], index)[state]) < round_.k:
                yield index, f"round {round_.key} merges to a state that {count} verifiers signed"


def _signers(round_: Round, after: int, before: int) -> Counter[tuple[str, str]]:
    first: dict[str, MergeSigned] = {}
    for index, signed in round_.signed:
        if after < index < before and signed.verifier in round_.verifiers:
            first.setdefault(signed.verifier, signed)
    return Counter((signed.theta, signed.momentum) for signed in first.values())


def honest_signed_the_same(reading: Reading) -> Iterator[Breach]:
    """With fewer than k corrupt and one log: no honest verifier signed another state than the merged one."""
    if not reading.safe or any(deviation.kind == "forked" for deviation in reading.history.deviations):
        return
    for round_ in reading.rounds.values():
        states = {(merged.theta, merged.momentum) for _, merged in round_.merged}
        for index, signed in round_.signed:
            if states and signed.verifier in reading.history.honest and (signed.theta, signed.momentum) not in states:
                yield index, f"{signed.verifier} computed another state than round {round_.key} merged to"


def round_starts_from_the_merge(reading: Reading) -> Iterator[Breach]:
    """A round begins from the state that its run last merged to, the first one from the run's own."""
    for run in reading.runs.values():
        for round_ in run.rounds:
            index, opened = round_.opened[0]
            if run.created and (opened.theta, opened.momentum) != _state(run, index):
                yield index, f"round {round_.key} does not begin from the run's last merge"


def _state(run: Run, before: int) -> tuple[str, str]:
    merged = [(index, entry) for round_ in run.rounds for index, entry in round_.merged if index < before]
    last = max(merged, key=lambda at: at[0], default=None)
    if last is not None:
        return last[1].theta, last[1].momentum
    created = run.created[0][1]
    return created.theta, created.momentum


def node_starts_from_its_merged_end(reading: Reading) -> Iterator[Breach]:
    """A node begins from the moments at the end of its last proof that was merged, a joiner from the run's."""
    for run in reading.runs.values():
        for round_ in run.rounds:
            index, opened = round_.opened[0]
            ends = _inner_ends(reading, run, index)
            for listed in opened.nodes:
                if run.created and listed.inner != ends.get(listed.node, run.created[0][1].inner):
                    yield index, f"{listed.node} does not begin round {round_.key} from its last merged end"


def _inner_ends(reading: Reading, run: Run, before: int) -> dict[str, str]:
    sets = sorted(((at, entry) for round_ in run.rounds for at, entry in round_.merge_sets), key=lambda at: at[0])
    ends: dict[str, str] = {}
    for merge_set in earlier(sets, before):
        for name in merge_set.proofs:
            for _, committed in reading.proof(name).committed[:1]:
                ends[committed.node] = committed.inner_end
    return ends


INVARIANT = Invariant(
    "I1",
    (
        *paid.CONDITIONS,
        members_are_the_posted,
        gradients_are_the_committed,
        merge_is_signed,
        honest_signed_the_same,
        round_starts_from_the_merge,
        node_starts_from_its_merged_end,
    ),
)
check = INVARIANT.check
