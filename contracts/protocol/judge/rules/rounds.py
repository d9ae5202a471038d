"""A round until its panel is drawn: who is awaited, when it closes, which block draws (J4 to J6).

open ── every awaited node has k `Has`, or lapsed ──▶ closed ── beacon fixed, and k `Seen` ──▶ reading
                                                        │  ▲
                               k verifiers miss `Seen`: once more, and all is read
"""

from __future__ import annotations

from contracts.ids import NO_PROOF, Address, RunId
from contracts.protocol.audit_rate import MILLION
from contracts.protocol.judge.entries import BeaconFixed, BeaconMissed, PanelDrawn, RoundClosed, RoundOpened
from contracts.protocol.judge.errors import AlreadySaid, NotBound, NotSeated, OutOfTime, UnknownSubject
from contracts.protocol.judge.facts import Awaited, Block, Committed, Has, Seen, What
from contracts.protocol.judge.held import require_speaker, round_of
from contracts.protocol.judge.rules import labour, lapses, roots
from contracts.protocol.judge.rules.presence import (
    anchor_of,
    free,
    judges,
    listing,
    members,
    move_back,
    release,
    reserve,
    speakers,
)
from contracts.protocol.judge.state import Phase, ProofState, RoundState, RunState, Stage, State


def due_opening(state: State, name: RunId, run: RunState) -> RoundOpened | None:
    """The next round, once the last is merged and enough verifiers and nodes are there."""
    number = run.round + 1
    idle = not run.over and run.merged == run.round and number <= state.functions.rounds(run.config)
    if not idle or run.pending or state.block is None or state.block.more or not state.k:
        return None
    counted = members(state, run)
    verifiers = speakers(state, run, counted, number)
    reachable = [verifier for verifier in verifiers if verifier not in run.away]
    if len(counted) < 2 * state.k - 1 or len(reachable) < state.k:
        return None
    nodes = listing(state, run, number, counted)
    if sum(node.awaited for node in nodes) < (run.created.terms.min_nodes if number == 1 else 1):
        return None
    seed = state.functions.data_seed(run.created, number, run.theta)
    return RoundOpened(
        name, number, run.theta, run.momentum, run.config, seed, state.block.number, state.k, tuple(verifiers), nodes
    )


def on_opened(state: State, entry: RoundOpened) -> None:
    """The listed nodes are awaited, and stake is reserved for what they may commit."""
    run = state.runs[entry.run]
    listed = {node.node: node for node in entry.nodes}
    current = RoundState(
        run=entry.run,
        number=entry.round,
        theta=entry.theta,
        momentum=entry.momentum,
        config=entry.config,
        data_seed=entry.data_seed,
        k=entry.k,
        opened_at=state.block.time if state.block is not None else 0,
        verifiers=frozenset(entry.verifiers),
        anchors={name: anchor for name in entry.verifiers if (anchor := anchor_of(run, name, entry.round))},
        listed=listed,
    )
    run.round = entry.round
    run.newcomers = 0
    run.rounds[entry.round] = current
    labour.note_opened(state, entry.config)
    run.began = run.began or current.opened_at
    if entry.round == run.paid + 1:
        run.paying = entry.config
    for member in run.nodes.values():
        member.changes = 0
    for node in entry.nodes:
        if node.staked:
            current.reserved[node.node] = reserve(state, node.node, run.created.terms.node_stake)
        if node.awaited:
            lapses.begin(state, current, Awaited(What.COMMITMENT, entry.run, entry.round, NO_PROOF, node.node))


def take_commitment(state: State, fact: Committed) -> None:
    """A commitment that is bound to the round's public inputs; one a node. Raises Refused."""
    current = round_of(state, fact.run, fact.round)
    listed = current.listed.get(fact.node)
    if listed is None:
        raise NotSeated(f"{fact.node} takes no part in round {fact.round}")
    if current.phase is not Phase.OPEN:
        raise OutOfTime(f"round {fact.round} is closed")
    if fact.node in current.proofs or fact.proof in state.proofs:
        raise AlreadySaid(f"{fact.node} has committed to round {fact.round}")
    functions = state.functions
    inputs = (current.theta, listed.inner, current.data_seed, functions.digest(current.config), listed.profile)
    sizes = (functions.segments(current.config), functions.tokens(current.config))
    committed = (fact.theta, fact.inner, fact.data_seed, fact.config, fact.profile)
    if committed != inputs or (fact.segments, fact.tokens) != sizes:
        raise NotBound("the commitment is not bound to the round's public inputs")
    reserved = current.reserved.pop(fact.node, 0)
    state.proofs[fact.proof] = ProofState(commitment=fact, index=state.size - 1, reserved=reserved)
    current.proofs[fact.node] = fact.proof


def take_has(state: State, fact: Has) -> None:
    """A verifier holds gradients. After the round closed it has no effect. Raises UnknownSubject and NotSeated."""
    current = round_of(state, fact.run, fact.round)
    require_speaker(current, fact.verifier)
    proofs = set(current.proofs.values())
    if not fact.proofs or not proofs.issuperset(fact.proofs):
        raise UnknownSubject("it names a proof that is not in the round")
    if all(fact.verifier in state.proofs[name].has for name in fact.proofs):
        raise AlreadySaid(f"{fact.verifier} has said so")
    for name in fact.proofs:
        proof = state.proofs[name]
        proof.has.add(fact.verifier)
        if len(proof.has) >= current.k and current.phase is Phase.OPEN:
            awaited = Awaited(What.COMMITMENT, fact.run, fact.round, NO_PROOF, proof.commitment.node)
            lapses.end(state, current, awaited)
    state.touched_rounds[fact.run, fact.round] = None


def due_closing(state: State, current: RoundState) -> RoundClosed | None:
    """Every awaited node is there with k `Has`, or lapsed."""
    if current.phase is not Phase.OPEN or current.awaits or state.block is None:
        return None
    names = [current.proofs[node] for node in sorted(current.proofs, key=str.lower)]
    proofs = tuple(name for name in names if len(state.proofs[name].has) >= current.k)
    span = state.runs[current.run].created.terms.span
    return RoundClosed(current.run, current.number, proofs, state.block.time + span)


def on_closed(state: State, entry: RoundClosed) -> None:
    """A proof that fewer than k verifiers hold is out, unpaid and blameless."""
    run = state.runs[entry.run]
    current = state.runs[entry.run].rounds[entry.round]
    current.closed = entry.proofs
    current.closed_at = state.size - 1
    current.beacon_time = entry.beacon_time
    current.phase = Phase.CLOSED if entry.proofs else Phase.MERGING
    for name in current.proofs.values():
        proof = state.proofs[name]
        if name not in entry.proofs:
            proof.stage = Stage.OUT
            proof.ended_at = state.size - 1
            release(state, proof)
    for node, amount in current.reserved.items():
        free(state, node, amount)
    current.reserved.clear()
    for node, member in run.nodes.items():
        member.delivered = current.proofs.get(node) in entry.proofs
        member.away = None if member.delivered else member.away
    state.touched_rounds[entry.run, entry.round] = None


def take_seen(state: State, fact: Seen) -> None:
    """A verifier's chain had not come to the beacon when it held the closing entry. Raises Refused."""
    current = round_of(state, fact.run, fact.round)
    require_speaker(current, fact.verifier)
    if current.phase is Phase.OPEN:
        raise OutOfTime(f"round {fact.round} is open")
    if fact.index not in (current.closed_at, *current.closed_before):
        raise NotBound(f"round {fact.round} awaits its beacon since entry {current.closed_at}")
    roots.check(state, fact.index, fact.root)
    late = current.phase is not Phase.CLOSED or fact.index != current.closed_at
    in_time = fact.index == current.closed_at and fact.verifier in current.seen
    if in_time or (fact.verifier, fact.index) in current.seen_late:
        raise AlreadySaid(f"{fact.verifier} has said so")
    if late:
        current.seen_late.add((fact.verifier, fact.index))
    else:
        current.seen[fact.verifier] = fact.root
        state.touched_rounds[fact.run, fact.round] = None


def check_block(state: State, fact: Block) -> None:
    """Blocks come in order, and nobody passes over a beacon. Raises NotBound."""
    last = state.block
    if fact.more and not fact.events:
        raise NotBound(f"block {fact.number} has more to say, and says nothing here")
    if last is not None and last.more:
        if (fact.number, fact.time, fact.hash, fact.parent_time) != (
            last.number,
            last.time,
            last.hash,
            last.parent_time,
        ):
            raise NotBound(f"block {last.number} has more to say")
    elif last is not None and (fact.number <= last.number or fact.time < last.time):
        raise NotBound(f"block {fact.number} does not come after block {last.number}")
    for run in state.runs.values():
        for current in run.rounds.values():
            waits = current.phase is Phase.CLOSED and current.beacon is None
            if waits and current.beacon_time <= fact.parent_time:
                raise NotBound(f"an earlier block than {fact.number} is the beacon of round {current.number}")


def due_beacon(state: State, current: RoundState) -> BeaconFixed | PanelDrawn | None:
    """The block that draws for a closed round, and then its panels, proof after proof."""
    block = state.block
    fixed = current.beacon
    if current.phase not in (Phase.CLOSED, Phase.READING):
        return None
    if fixed is None:
        if block is None or block.more or block.time < current.beacon_time:
            return None
        return BeaconFixed(current.run, current.number, block.number, block.hash)
    waiting = [state.proofs[name] for name in current.closed if name in state.proofs]
    waiting = [proof for proof in waiting if proof.stage is Stage.COMMITTED]
    if not waiting or not _seen(current):
        return None
    return _panel(state, state.runs[current.run], current, waiting[0], fixed.hash)


def on_fixed(state: State, entry: BeaconFixed) -> None:
    """A verifier that saw the closing entry in time may still say so: its word counts, and not when that is entered."""
    current = state.runs[entry.run].rounds[entry.round]
    current.beacon = entry
    if not _seen(current):
        lapses.begin(state, current, Awaited(What.SEEN, entry.run, entry.round, NO_PROOF, ""))
    state.touched_rounds[entry.run, entry.round] = None


def due_miss(state: State, current: RoundState) -> BeaconMissed | None:
    """k verifiers did not find k `Seen`, neither in the log nor at a mirror."""
    if current.beacon is None or not current.unseen or state.block is None or _seen(current):
        return None
    span = state.runs[current.run].created.terms.span
    return BeaconMissed(current.run, current.number, current.beacon.block, state.block.time + span)


def _seen(current: RoundState) -> bool:
    """Whether k verifiers saw the closing entry, each under this log's root (judge/roots.py), before its beacon."""
    return len(current.seen) >= current.k


def _panel(state: State, run: RunState, current: RoundState, proof: ProofState, beacon: str) -> PanelDrawn:
    name = proof.commitment.proof
    node = proof.commitment.node
    rate = MILLION if current.missed else current.listed[node].rate
    if not state.functions.is_audited(beacon, name, rate):
        return PanelDrawn(name, beacon, False, (), ())
    able = judges(run, sorted(current.verifiers), proof.commitment.profile)
    drawn_order = state.functions.panel_order(beacon, name, able)
    order = tuple(sorted(drawn_order, key=lambda v: (v in run.away, run.behind.get(v, 0) >= current.number)))
    present = tuple(name for name in order if name not in run.away)
    panel = 0 if current.missed else run.created.terms.panel  # a beacon that somebody may have picked seats everybody
    return PanelDrawn(name, beacon, True, order, present[: max(panel, current.k) if panel else len(present)])


def on_missed(state: State, entry: BeaconMissed) -> None:
    """A later block draws, once k verifiers saw this entry before it, and every proof is read (J5)."""
    current = state.runs[entry.run].rounds[entry.round]
    current.missed = True
    current.unseen = False
    current.beacon = None
    current.beacon_time = entry.beacon_time
    current.closed_before.add(current.closed_at)
    current.seen_late |= {(verifier, current.closed_at) for verifier in current.seen}
    current.closed_at = state.size - 1
    current.seen.clear()


def lapse_commitment(state: State, current: RoundState, node: Address) -> None:
    """A node that is late is not awaited again until it returns."""
    run = state.runs[current.run]
    run.nodes[node].away = state.size - 1
    move_back(run, node)


def lapse_seen(state: State, current: RoundState, _: str) -> None:
    """Too few saw the closing entry before the beacon: another block has to draw."""
    current.unseen = True
    state.touched_rounds[current.run, current.number] = None
