"""I8: why a proof is void, who is at fault, and when a round may merge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from contracts.protocol.judge.entries import Posted, Undecided, Voided
from contracts.protocol.judge.facts import AT_FAULT, Reason, What
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import Proof, earlier, stands_before


def one_end(reading: Reading) -> Iterator[Breach]:
    """A proof is void or undecided once, after its coin, and not when it was posted."""
    for proof in reading.proofs.values():
        for place, (index, end) in enumerate(proof.ends):
            if isinstance(end, Posted):
                continue
            if place or not stands_before(proof.panels, index):
                yield index, f"{proof.name} ends as {type(end).__name__}, and it ended before or was never drawn"


def voids_have_a_ground(reading: Reading) -> Iterator[Breach]:
    """What a void names happened: a decided segment, openings or a pledge twice late, a segment that a pledge names."""
    for proof in reading.proofs.values():
        for index, end in proof.ends:
            if isinstance(end, Voided) and not _ground(proof, end, index):
                yield index, f"{proof.name} is void as {end.reason} (segment {end.segment}) without a ground"


def _ground(proof: Proof, void: Voided, before: int) -> bool:
    if void.reason is Reason.WITHHELD:
        return proof.has_lapsed(What.OPENINGS, before, period=2)
    if void.reason is Reason.PLEDGE_WITHHELD:
        return proof.has_lapsed(What.PLEDGE, before, period=2)
    if void.reason is Reason.CANARY:
        return any(pledge.fake is not None for pledge in earlier(proof.pledges, before))
    decided = earlier(proof.decided, before)
    return any((d.segment, d.true, d.reason) == (void.segment, False, void.reason) for d in decided)


def named_segments_are_decided(reading: Reading) -> Iterator[Breach]:
    """Before a proof is void as a canary, the bench decides the segment that its pledge names, if somebody drew it."""
    for proof in reading.proofs.values():
        for index, end in proof.ends:
            if not isinstance(end, Voided) or end.reason is not Reason.CANARY:
                continue
            drew = any(end.segment in drawn for drawn in proof.draws(index).values())
            if drew and end.segment not in {decided.segment for decided in earlier(proof.decided, index)}:
                yield index, f"{proof.name} is void as a canary, and nobody read segment {end.segment} again"


def pledges_come_after_the_words(reading: Reading) -> Iterator[Breach]:
    """A pledge is open only when the panel has spoken, the coin spared its proof, or a void is certain."""
    for proof in reading.proofs.values():
        for index, _ in proof.pledges:
            spared = any(not panel.audited for panel in earlier(proof.panels, index))
            if not (spared or stands_before(proof.spoken, index) or stands_before(proof.ends, index)):
                yield index, f"the pledge of {proof.name} is open while it is read"


def traces_come_after_the_end(reading: Reading) -> Iterator[Breach]:
    """A trace is shown when its proof has an end, and is the one that was sealed."""
    for proof in reading.proofs.values():
        for index, shown in proof.traces:
            if not stands_before(proof.ends, index):
                yield index, f"{shown.verifier} shows its trace of {proof.name} while others may copy it"
            if reading.history.sealed.get((proof.name, shown.verifier), shown.trace) != shown.trace:
                yield index, f"{shown.verifier} shows another trace of {proof.name} than it sealed"


def faults_end_a_void(reading: Reading) -> Iterator[Breach]:
    """A fault ends a void of its node, when the pledge is open or twice late."""
    for proof, committed, _ in reading.committed():
        for index, fault in proof.faults:
            pledged = stands_before(proof.pledges, index) or proof.has_lapsed(What.PLEDGE, index, period=2)
            if not any(isinstance(end, Voided) for end in earlier(proof.ends, index)) or fault.node != committed.node:
                yield index, f"a fault of {fault.node} about {proof.name} ends no void of it"
            elif not pledged:
                yield index, f"a fault about {proof.name} is derived while its pledge is awaited"


def fault_follows_the_table(reading: Reading) -> Iterator[Breach]:
    """At fault is who the table of reasons says, and it costs stake exactly where stake is reserved."""
    for proof, committed, round_ in reading.committed():
        listed = round_.listed(committed.node)
        for index, fault in proof.faults:
            staked = listed is not None and listed.staked
            if fault.at_fault != (fault.reason in AT_FAULT) or fault.costs_stake != (fault.at_fault and staked):
                yield index, f"{proof.name}: {fault.reason}, at fault {fault.at_fault}, costs stake {fault.costs_stake}"


def pledge_excuses_its_own_segment(reading: Reading) -> Iterator[Breach]:
    """A void's reason is its fault's, unless the open pledge names the void's own segment, or is withheld."""
    for proof in reading.proofs.values():
        for index, fault in proof.faults:
            if proof.voided is None:
                continue
            void = proof.voided[1]
            named = {pledge.fake for pledge in earlier(proof.pledges, index)} - {None}
            excused = fault.reason is Reason.CANARY and (void.segment in named or void.reason is Reason.CANARY)
            withheld = fault.reason is Reason.PLEDGE_WITHHELD and proof.has_lapsed(What.PLEDGE, index, period=2)
            named_drift = void.reason is Reason.DRIFT and void.segment in named
            owned = (void.reason is Reason.CANARY or named_drift) and fault.reason is Reason.REPLAY and fault.at_fault
            if fault.reason is not void.reason and not (excused or withheld or owned):
                yield index, f"{proof.name} is void as {void.reason} and its fault says {fault.reason}"


def canaries_are_few(reading: Reading) -> Iterator[Breach]:
    """A node is excused at most as often in any window of rounds as the manifest says."""
    excused: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for proof, committed, _ in reading.committed():
        for index, fault in proof.faults:
            if fault.reason is Reason.CANARY:
                excused[committed.run, committed.node].append((committed.round, index))
    for (run, node), found in excused.items():
        terms = reading.terms(run)
        if terms is None:
            continue
        for number, index in found:
            window = [r for r, _ in found if number - terms.canary_window < r <= number]
            if len(window) > terms.canaries:
                yield index, f"{node} is excused {len(window)} times in {terms.canary_window} rounds"


def undecided_waited(reading: Reading) -> Iterator[Breach]:
    """Only an audited proof is undecided, none whose panel has spoken and whose pledge names nothing, and none before
    everybody of its order was called to what is still questioned."""
    for proof in reading.proofs.values():
        for index, end in proof.ends:
            audited = any(panel.audited for panel in earlier(proof.panels, index))
            honest = any(pledge.fake is None for pledge in earlier(proof.pledges, index))
            if isinstance(end, Undecided) and (not audited or (honest and stands_before(proof.spoken, index))):
                yield index, f"{proof.name} is undecided and k words were not missing"
            elif isinstance(end, Undecided) and (segment := _half_called(proof, index)) is not None:
                yield index, f"{proof.name} is undecided, and some were never called to segment {segment}"


def _half_called(proof: Proof, before: int) -> int | None:
    """A segment before the bench to which not all of the order were called."""
    order = {name for panel in earlier(proof.panels, before) for name in panel.order}
    decided = {entry.segment for entry in earlier(proof.decided, before)}
    called = defaultdict[int, set[str]](set)
    for call in earlier(proof.benches, before):
        called[call.segment].update(call.members)
    return next((s for s, members in called.items() if s not in decided and order - members), None)


def merges_wait(reading: Reading) -> Iterator[Breach]:
    """A merge set follows the closing; under the premise its proofs are posted, void, or before the bench."""
    for round_ in reading.rounds.values():
        for index, _ in round_.merge_sets:
            if not stands_before(round_.closed, index):
                yield index, f"round {round_.key} merges before it closes"
            for proof in round_.proofs if reading.premise else ():
                waits = stands_before(proof.benches, index) or not stands_before(proof.closed, index)
                if not stands_before(proof.ends, index) and not waits:
                    yield index, f"round {round_.key} merges while {proof.name} is still read"


CONDITIONS = (
    one_end,
    voids_have_a_ground,
    named_segments_are_decided,
    pledges_come_after_the_words,
    traces_come_after_the_end,
    faults_end_a_void,
    fault_follows_the_table,
    pledge_excuses_its_own_segment,
    canaries_are_few,
    undecided_waited,
    merges_wait,
)
