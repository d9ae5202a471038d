"""I8: why a round opens, with whom, and why it closes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from contracts.protocol.judge.chain_events import NodeSlashed, NodeStake, Quorum, VerifierStands
from contracts.protocol.judge.entries import (
    BeaconMissed,
    FaultDerived,
    Listed,
    Posted,
    RoundClosed,
    RoundOpened,
    Undecided,
)
from contracts.protocol.judge.facts import Block, What
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import At, Key, Proof, Round, Run, earlier, stands_before

FULL = 1_000_000


def _openings(reading: Reading) -> Iterator[tuple[Run, Round, int, RoundOpened]]:
    for run in reading.runs.values():
        for round_ in run.rounds:
            yield run, round_, *round_.opened[0]


def rounds_follow(reading: Reading) -> Iterator[Breach]:
    """A round opens when its run is created and its last round merged, in order of number."""
    for run in reading.runs.values():
        for place, round_ in enumerate(run.rounds):
            index = round_.opened[0][0]
            if not stands_before(run.created, index):
                yield index, f"round {round_.key} opens before its run is created"
            if round_.key[1] != place + 1 or (place and not stands_before(run.rounds[place - 1].merged, index)):
                yield index, f"round {round_.key} opens before the one before it merged"


def verifiers_stand(reading: Reading) -> Iterator[Breach]:
    """Its verifiers are admitted, staked and anchored; there are at least 2k - 1, with the contract's k."""
    for run, round_, index, opened in _openings(reading):
        quorum = next(reading.event(Quorum, index), None)
        anchored = {anchor.verifier for anchor in earlier(run.anchored, index)}
        fallen = {e.verifier for e in reading.event(VerifierStands, index) if e.slashed and e.admitted}
        counted = len({*opened.verifiers, *(fallen & anchored)})
        if quorum is None or opened.k != quorum.k or counted < 2 * opened.k - 1:
            yield index, f"round {round_.key} opens with {len(opened.verifiers)} verifiers and k = {opened.k}"
            continue
        for verifier in opened.verifiers:
            if verifier not in anchored or not _stands(reading, verifier, quorum.least_stake, index):
                yield index, f"round {round_.key} counts {verifier}, who is not anchored, admitted and staked"


def _stands(reading: Reading, verifier: str, least: int, before: int) -> bool:
    events = reading.event(VerifierStands, before)
    last = next((event for event in events if event.verifier == verifier), None)
    return last is not None and last.admitted and last.stake >= least


def nodes_are_enrolled(reading: Reading) -> Iterator[Breach]:
    """Its nodes are enrolled by then and have not left, each once, at most as many as the manifest bounds."""
    for run, round_, index, opened in _openings(reading):
        terms = reading.terms(run.name)
        names = [listed.node for listed in opened.nodes]
        if len(set(names)) != len(names) or (terms is not None and len(names) > terms.max_nodes):
            yield index, f"round {round_.key} lists {len(names)} nodes"
        for listed in opened.nodes:
            known = terms is None or listed.profile in terms.profiles
            if not (known and _enrolled(run, listed, opened.round, index)):
                yield index, f"round {round_.key} lists {listed.node}, who is not enrolled so"


def _enrolled(run: Run, listed: Listed, number: int, before: int) -> bool:
    last = [(at, e) for at, e in run.enrolled if at < before and e.node == listed.node and e.first_round <= number]
    left = max((at for at, e in run.left if at < before and e.node == listed.node), default=-1)
    if not last or left > last[-1][0]:
        return False
    return (last[-1][1].payout, last[-1][1].profile) == (listed.payout, listed.profile)


def who_delivered_stays(reading: Reading) -> Iterator[Breach]:
    """Whose gradient k verifiers held last round keeps its place, unless its proof was not posted, or it left or joined
    again for later."""
    for run in reading.runs.values():
        for last, round_ in pairwise(run.rounds):
            index, opened = round_.opened[0]
            held = {name for _, closed in last.closed for name in closed.proofs}
            failed = {p.name for p in last.proofs for end in earlier(p.ends, index) if not isinstance(end, Posted)}
            nodes = {proof.committed[0][1].node for proof in last.proofs if proof.name in held - failed}
            for node in sorted(nodes - round_.nodes.keys()):
                enrolled = [(at, e) for at, e in run.enrolled if at < index and e.node == node]
                left = any(enrolled[-1][0] < at < index for at, e in run.left if e.node == node) if enrolled else True
                if not left and enrolled[-1][1].first_round <= opened.round:
                    yield index, f"{node} delivered in round {last.key} and is not in round {round_.key}"


def awaited_unless_lapsed(reading: Reading) -> Iterator[Breach]:
    """Everybody listed is awaited, but who lapsed when last awaited and has not signed its return."""
    for run, round_, index, opened in _openings(reading):
        for listed in opened.nodes:
            if listed.awaited == _away(run, listed.node, index):
                yield index, f"{listed.node} is {'' if listed.awaited else 'not '}awaited in round {round_.key}"


def _away(run: Run, node: str, before: int) -> bool:
    lapsed = (at for at, e in run.lapsed if e.awaited.what is What.COMMITMENT and e.awaited.party == node)
    last = max((at for at in lapsed if at < before), default=-1)
    back = [at for at, e in run.returned if e.party == node and e.size > last]
    again = [*back, *_enrolments(run, node), *_deliveries(run, node)]
    return last >= 0 and not any(last < at < before for at in again)


def _deliveries(run: Run, node: str) -> list[int]:
    """Closing entries that hold a proof of the node: who delivers is back."""
    mine = {p.name for round_ in run.rounds for p in round_.proofs for _, c in p.committed[:1] if c.node == node}
    return [at for round_ in run.rounds for at, closed in round_.closed if mine & set(closed.proofs)]


def _enrolments(run: Run, node: str) -> list[int]:
    return [at for at, enrolled in run.enrolled if enrolled.node == node]


def full_audits_after_a_void(reading: Reading) -> Iterator[Breach]:
    """A node whose last proof was not posted begins its record anew: it is audited at the full rate."""
    for run, round_, index, opened in _openings(reading):
        last = _last_ends(reading, index)
        for listed in opened.nodes:
            failed = last.get(listed.node)
            if failed is not None and failed == (run.name, False) and listed.rate != FULL:
                yield index, f"{listed.node} is audited at {listed.rate} ppm in {round_.key} after it was not posted"


def _last_ends(reading: Reading, before: int) -> dict[str, tuple[str, bool]]:
    """Node → the run of its last proof that came to an end, and whether it was posted."""
    ends: list[tuple[int, str, str, bool]] = []
    for proof, committed, _ in reading.committed():
        for index, end in (*proof.ends, *proof.faults):
            if index < before and isinstance(end, Posted | Undecided | FaultDerived):
                ends.append((index, committed.node, committed.run, isinstance(end, Posted)))
    return {node: (run, posted) for _, node, run, posted in sorted(ends)}


def stake_counts_once(reading: Reading) -> Iterator[Breach]:
    """What is reserved for a node's work in flight, in all runs together, is never more than its stake.

    Where less than a whole stake is free, that is reserved, and the node is audited at the full rate.
    """
    openings = sorted(_openings(reading), key=lambda opening: opening[2])
    amounts: dict[tuple[Key, str], int] = {}
    for place, (_, round_, index, opened) in enumerate(openings):
        for listed in opened.nodes:
            others = (other for _, other, _, _ in openings[:place] if _reserved(reading, other, listed.node, index))
            held = sum(amounts.get((other.key, listed.node), 0) for other in others)
            stakes = reading.event(NodeStake, index)
            stake = next((event.stake for event in stakes if event.node == listed.node), 0)
            amount = min(_stake(reading, round_), max(0, stake - held))
            amounts[round_.key, listed.node] = amount
            due = _stake(reading, round_)
            unbacked = listed.rate != FULL and (amount < due or (due and not listed.staked))
            if unbacked or (listed.staked and not amount):
                yield index, f"{listed.node} has {held} of {stake} reserved elsewhere as round {round_.key} opens"


def _stake(reading: Reading, round_: Round) -> int:
    terms = reading.terms(round_.key[0])
    return terms.node_stake if terms is not None else 0


def _reserved(reading: Reading, round_: Round, node: str, before: int) -> bool:
    listed = round_.listed(node)
    if listed is None or not listed.staked:
        return False
    proofs = [p for p in round_.proofs if p.closed and p.closed[0][0] < before and p.committed[0][1].node == node]
    closed = any(index < before for index, _ in round_.closed)
    return not (closed and all(_freed(reading, proof, before) for proof in proofs))


def _freed(reading: Reading, proof: Proof, before: int) -> bool:
    if any(slashed.proof == proof.name for slashed in reading.event(NodeSlashed, before)):
        return True
    if any(not fault.costs_stake for fault in earlier(proof.faults, before)):
        return True
    return any(isinstance(end, Posted | Undecided) for end in earlier(proof.ends, before))


def closing_follows(reading: Reading) -> Iterator[Breach]:
    """A round closes when every awaited node has a proof with k `Has` or lapsed, with all such proofs by node."""
    for round_ in reading.rounds.values():
        for index, closed in round_.closed:
            if not round_.opened or round_.opened[0][0] > index:
                yield index, f"round {round_.key} closes before it opens"
                continue
            held = [proof for proof in round_.proofs if len(round_.holders(proof, index)) >= round_.k]
            nodes = {p.committed[0][1].node for p in held if p.committed[0][0] < index}
            listed = [
                reading.proof(name).committed[0][1].node for name in closed.proofs if reading.proof(name).committed
            ]
            if listed != sorted(nodes & {n.node for n in round_.opened[0][1].nodes}, key=str.lower):
                yield index, f"round {round_.key} closes with {listed}, and k verifiers hold the gradients of {nodes}"
            for node in round_.opened[0][1].nodes:
                if node.awaited and node.node not in nodes and not round_.has_lapsed(What.COMMITMENT, node.node, index):
                    yield index, f"round {round_.key} closes while {node.node} is awaited"


def blocks_come_in_order(reading: Reading) -> Iterator[Breach]:
    """No block is entered twice, or after a later one."""
    for (_, before), (index, block) in pairwise(reading.blocks):
        if block.number <= before.number or block.time < before.time:
            yield index, f"block {block.number} is entered after block {before.number}"


def beacon_time_follows(reading: Reading) -> Iterator[Breach]:
    """The beacon is awaited one span after the last entered block; anew where fewer than k had `Seen`."""
    for round_ in reading.rounds.values():
        terms = reading.terms(round_.key[0])
        times = [(index, closed.beacon_time) for index, closed in round_.closed]
        times += [(index, missed.beacon_time) for index, missed in round_.missed]
        for index, time in times:
            block = reading.block(index)
            if block is None or terms is None or time != block.time + terms.span:
                yield index, f"the beacon of round {round_.key} is not one span after the last block"


def beacon_is_fixed(reading: Reading) -> Iterator[Breach]:
    """The beacon is the first block at or after the awaited time."""
    for round_ in reading.rounds.values():
        for index, fixed in round_.fixed:
            since, time = awaited_since(round_, index)
            block = block_at(reading, time, since, index)
            if block is None or (block[1].number, block[1].hash) != (fixed.block, fixed.hash):
                yield index, f"the beacon of round {round_.key} is fixed to another block than the first"


def beacon_missed_without_k(reading: Reading) -> Iterator[Breach]:
    """A beacon is missed only when k verifiers found fewer than k `Seen` of what it follows."""
    for round_ in reading.rounds.values():
        for index, missed in round_.missed:
            since, _ = awaited_since(round_, index)
            fixed = [entry.block for at, entry in round_.fixed if since < at < index]
            looked = any(since < at < index and e.awaited.what is What.SEEN for at, e in round_.lapsed)
            if missed.block not in fixed or not looked:
                yield index, f"the beacon of round {round_.key} is missed before its block came"
            elif len(seers(round_, since, index)) >= round_.k:
                yield index, f"the beacon of round {round_.key} is missed and k verifiers had seen what it follows"


def awaited_since(round_: Round, before: int) -> tuple[int, int]:
    """The closing entry or the last missed beacon, and the chain time from which on a block is the beacon."""
    named: list[At[RoundClosed | BeaconMissed]] = [*round_.closed, *round_.missed]
    since = [(at, entry.beacon_time) for at, entry in named if at < before]
    return max(since, default=(before, 1 << 60))


def block_at(reading: Reading, time: int, after: int, before: int) -> tuple[int, Block] | None:
    """The first block of the chain at or after a time: its parent is earlier, so none was passed over."""
    for index, block in reading.blocks:
        if after < index < before and block.time >= time:
            return (index, block) if block.parent_time < time else None
    return None


def seers(round_: Round, since: int, before: int) -> set[str]:
    """The verifiers of the round that had said `Seen` of an entry, under the root that most of them name."""
    roots = defaultdict[str, set[str]](set)
    for seen in earlier(round_.seen, before):
        if seen.index == since and seen.verifier in round_.verifiers:
            roots[seen.root].add(seen.verifier)
    return max(roots.values(), key=len, default=set())


CONDITIONS = (
    rounds_follow,
    verifiers_stand,
    nodes_are_enrolled,
    who_delivered_stays,
    awaited_unless_lapsed,
    full_audits_after_a_void,
    stake_counts_once,
    closing_follows,
    blocks_come_in_order,
    beacon_time_follows,
    beacon_is_fixed,
    beacon_missed_without_k,
)
