"""Decisions, contributions and epochs: what is paid, once, and what the chain made of it (J16, J17, J19, J20).

closed ── k signatures, a window ──▶ final: ours, or another root, which is said
   │                                  │ what the limit cut is owed to who earned it, in the run's next epochs
   ├── struck down by holders ──▶ closed anew, paying nothing from then on: what was due lapses
   ├── its dispute lapsed, undecided ──▶ closed anew, within the limit
   └── its deadline past, or above the limit that fell ──▶ closed anew, within the limit
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contracts.ids import Address, RunId
from contracts.protocol.judge.chain_events import Decided, EpochFinal, EpochLapsed, EpochLimit, EpochStruck
from contracts.protocol.judge.entries import (
    DecisionTaken,
    EpochClosed,
    EpochEnded,
    InvoicesAssessed,
    Line,
    RunOver,
    Undecided,
)
from contracts.protocol.judge.errors import AlreadySaid, NotBound, OutOfTime, Refused, RunEnded
from contracts.protocol.judge.facts import Credited
from contracts.protocol.judge.rules import funding, invoices, labour, lapses, roots
from contracts.protocol.judge.rules.entitlements import Units, emitted, left_of, lines_within
from contracts.protocol.judge.rules.merges import is_progressing
from contracts.protocol.judge.rules.presence import live_run
from contracts.protocol.judge.state import EpochState, ProofState, RunState, Stage, State
from contracts.protocol.judge.terms import MOST_CREDITED

CREDITED_KINDS = (1, 3)
"""Code and data (contracts/protocol/log_audit.py:PayoutKind); compute is posted, capital is an invoice."""
LARGEST_WEIGHT = 2**128 - 1


def take_credit(state: State, fact: Credited) -> None:
    """A contribution, once in a model, to a run that goes on (J16). Raises Refused."""
    run = live_run(state, fact.run)
    state.functions.check_quorum(run.config, fact.signers)
    if run.round and run.paid == run.round >= state.functions.rounds(run.config):
        raise RunEnded("the run's last epoch is closed")
    if fact.kind not in CREDITED_KINDS or not 1 <= fact.weight <= LARGEST_WEIGHT:
        raise NotBound(f"a contribution is of kind 1 or 3, with a weight between 1 and {LARGEST_WEIGHT}")
    credited = sum(len(run.earned.get(kind, {})) for kind in CREDITED_KINDS)
    if credited >= MOST_CREDITED and fact.account not in run.earned.get(fact.kind, {}):
        raise OutOfTime(f"an epoch credits {MOST_CREDITED} accounts at most; the next one takes it")
    if fact.key in state.credited:
        raise AlreadySaid(f"{fact.key} is credited")
    state.credited.add(fact.key)
    earned = run.earned.setdefault(fact.kind, {})
    earned[fact.account] = earned.get(fact.account, 0) + fact.weight
    run.unsettled = True


def on_decided(state: State, event: Decided) -> None:
    """Every run that goes on has to take the decision, or refuse it."""
    for name, run in state.runs.items():
        if not run.over:
            run.pending.append((event.sequence, event.key, event.value))
            state.touched_runs[name] = None


def due_decision(state: State, name: RunId, run: RunState) -> DecisionTaken | None:
    """The next decision, in the order of the chain: applied, or refused with its reason (J17)."""
    if run.over or not run.pending:
        return None
    sequence, key, value = run.pending[0]
    try:
        state.functions.decide(run.config, key, value)
    except Refused as error:
        return DecisionTaken(name, sequence, False, error.detail)
    return DecisionTaken(name, sequence, True, "")


def on_decision(state: State, entry: DecisionTaken) -> None:
    """The next round opens with it."""
    run = state.runs[entry.run]
    _, key, value = run.pending.pop(0)
    if entry.applied:
        run.config = state.functions.decide(run.config, key, value)
    state.touched_runs[entry.run] = None


def due_epoch(state: State, name: RunId, run: RunState) -> Undecided | InvoicesAssessed | EpochClosed | RunOver | None:
    """An epoch closes after its last round merged; a run's last one when nothing of it can be decided any more."""
    if run.over or run.merged != run.round or run.round == 0:
        return None
    is_last = run.round >= state.functions.rounds(run.config)
    if not (is_last or run.round - run.paid >= run.created.terms.rounds_per_epoch):
        return None
    open_proofs = [proof for proof in _proofs(state, name) if not proof.done]
    stuck = [p for p in open_proofs if p.stage is Stage.READING and not is_progressing(p, state.round_of(p))]
    if stuck:
        return Undecided(stuck[0].commitment.proof)
    if is_last and any(proof.awaits or not proof.done for proof in _proofs(state, name)):
        return None
    assessed = invoices.due_assessment(state, name, run)
    if assessed is not None or run.round > run.paid:
        return assessed or _close(state, name, run)
    if any(epoch.closed.run == name for epoch in state.epochs.values()):
        return None
    if run.unsettled:
        return _close(state, name, run)
    return _pay_off(state, name, run) if run.owed else RunOver(name)


def _pay_off(state: State, name: RunId, run: RunState) -> EpochClosed | None:
    """An epoch after the last one, of what is still owed: none while the limit lets nothing through."""
    return _close(state, name, run) if state.limit != 0 else None


def _close(state: State, name: RunId, run: RunState) -> EpochClosed:
    """Also one that pays nobody, since faults are signed under its root."""
    number = state.epoch + 1
    earned = _entitled(state, run)
    fallen, struck = state.falls.get(number, (0, False))
    due = sum(run.owed.values()) + sum(earned.values())
    lines = lines_within(run.owed, earned, 0 if struck else _within(state, due))
    assert state.block is not None, "a run without a block opens no round"
    deadline = state.block.time + run.created.terms.root_seconds
    first = min(run.paid + 1, run.round)
    root = state.functions.root(number, lines)
    total = sum(line.amount for line in lines)
    settled_at = _settled_at(state)
    return EpochClosed(number, fallen, name, first, run.round, due, total, lines, root, deadline, settled_at)


def _entitled(state: State, run: RunState) -> Units:
    """The emission of the epoch that closes now, split over its earners: in whole, whatever the limit is.

    Nothing is emitted where nobody earned anything: a node that keeps others from working would earn it later. The
    split is by what the epoch's first round opened with, and of work that is posted late by what its own round did: a
    vote that passes while others work decides about the next epoch, and takes nothing of what they have earned."""
    emission = _emission(run)
    number = state.epoch + 1
    lines = state.functions.lines

    def split(config: str, earned: dict[int, dict[Address, int]], units: int) -> Sequence[Line]:
        return lines(number, config, earned, units)

    price = state.functions.capital(run.paying).price if run.paying else 0
    return emitted(split, run, emission, lambda earned, units: funding.paid(split, run, earned, units, price))


def _emission(run: RunState) -> int:
    """Token units of the epoch that closes now: a last, short one has its rounds' share, rounded down. A round is so
    paid the same wherever a vote ends the run. A proof that ends late, after a vote made a paid round the last one, is
    in an epoch without rounds, and has no emission of its own."""
    terms = run.created.terms
    return terms.emission * (run.round - run.paid) // terms.rounds_per_epoch


def _settled_at(state: State) -> int:
    """Until when every round that had opened, of whichever run, is settled: its run is over, or it is in an epoch that
    this log says is final, and nothing of it is left. Stake in it is free, or at fault under that epoch's
    root, which can be signed since: so a whole window of challenges lies before another epoch is final, and the stake
    can go.

    A quick run's epochs free no stake that a slow run's open round may still cost, and an operator that enters no block
    for a while frees none either. A run that waits, for verifiers or for the limit, remembers its last round: where
    nothing of it is left it keeps no stake."""
    assert state.block is not None, "a run without a block opens no round"
    going = [run for run in state.runs.values() if not run.over]
    opened = (r.opened_at for run in going for number, r in run.rounds.items() if r.proofs or number > run.paid)
    return min([state.block.time, *opened])


def on_epoch(state: State, entry: EpochClosed) -> None:
    """The earnings are in this epoch, and in no other; a root that is closed anew keeps those before it."""
    run = state.runs[entry.run]
    epoch = state.epochs.get(entry.epoch)
    if epoch is None:
        entitled = _entitled(state, run)
        epoch = EpochState(entry, state.size - 1, run.owed, entitled)
        state.epochs[entry.epoch] = epoch
        labour.value_posted(run, entitled)
        funding.reduce(state, run, entitled)
        labour.forget_old(state, run)
        run.paid = entry.last_round
        run.earned = {}
        run.owed = {}
        run.unsettled = False
        run.late = {}
        state.epoch = entry.epoch
        epoch.final = state.finals.pop(entry.epoch, None)
        epoch.fallen, epoch.struck = state.falls.pop(entry.epoch, (0, False))
    epoch.closed = entry
    epoch.given.setdefault((entry.attempt, entry.root), (entry, state.size - 1))
    state.touched_runs[entry.run] = None


def on_over(state: State, entry: RunOver) -> None:
    """The run credits nothing from here on, and owes nobody anything. Its hours are remembered for other runs."""
    run = state.runs[entry.run]
    run.over = True
    run.pending.clear()
    run.invoices.clear()
    run.prices.clear()
    run.overpaid.clear()
    run.capital.clear()


def due_ending(state: State) -> EpochEnded | EpochClosed | None:
    """The next entry that follows from the chain: an epoch's end, or its root closed anew."""
    for number, epoch in state.epochs.items():
        entry = _ended(number, epoch) if epoch.final is not None else _again(state, number, epoch)
        if entry is not None:
            return entry
    return None


def _ended(number: int, epoch: EpochState) -> EpochEnded:
    """Units that were due beyond the root that became final are owed on (J19)."""
    assert epoch.final is not None, "the chain has made it final"
    return EpochEnded(number, *epoch.final, epoch.final in epoch.given, sum(_left(epoch).values()))


def _left(epoch: EpochState) -> Units:
    """The units that stay owed. None of a root that holders struck down: holders gain nothing by it, and what the limit
    cut from false work before anybody looked is not paid later. Nor where the chain made another root final."""
    closing = epoch.given.get(epoch.final) if epoch.final is not None else None
    if closing is None or epoch.struck:
        return {}
    return left_of(epoch.owed, epoch.earned, closing[0].lines)


def _again(state: State, number: int, epoch: EpochState) -> EpochClosed | None:
    """A root that fell is followed by another attempt; one whose deadline passed, or that the contract takes no more
    since the limit fell, is closed anew. Either pays the same accounts the same, within the limit as it stands by then:
    a bond and an idle vote delay pay, they never cancel it. After holders struck a root down nothing is paid, whatever
    becomes of the attempts that follow."""
    closed = epoch.closed
    block = state.block
    is_valid = epoch.fallen == closed.attempt and closed.total <= _within(state, closed.total)
    if block is None or (is_valid and block.time <= closed.deadline):
        return None
    within = 0 if epoch.struck else _within(state, closed.due)
    lines = lines_within(epoch.owed, epoch.earned, within)
    deadline = block.time + state.runs[closed.run].created.terms.root_seconds
    return replace(
        closed,
        attempt=epoch.fallen,
        total=sum(line.amount for line in lines),
        lines=lines,
        root=state.functions.root(number, lines),
        deadline=deadline,
    )


def _within(state: State, due: int) -> int:
    """The units that the limit lets through."""
    return due if state.limit is None else min(due, state.limit)


def on_struck(state: State, event: EpochStruck) -> None:
    """Holders struck a root down: no later attempt pays."""
    epoch = state.epochs.get(event.epoch)
    if epoch is not None:
        epoch.struck = True
    on_fallen(state, event)


def on_fallen(state: State, event: EpochStruck | EpochLapsed) -> None:
    """The next attempt is due, also of an epoch that this log closes only later: its root was signed in advance, or was
    lost with the log's end, and the contract takes no attempt twice."""
    epoch = state.epochs.get(event.epoch)
    if epoch is not None:
        epoch.fallen = max(epoch.fallen, event.attempt + 1)
    elif event.epoch > state.epoch:
        fallen, struck = state.falls.get(event.epoch, (0, False))
        state.falls[event.epoch] = (max(fallen, event.attempt + 1), struck or isinstance(event, EpochStruck))


def on_final(state: State, event: EpochFinal) -> None:
    """A root that the chain made final is final, also of an epoch that this log closes only later: one that was lost
    with its end, or that k corrupt verifiers signed in advance."""
    epoch = state.epochs.get(event.epoch)
    if epoch is not None and epoch.final is None:
        epoch.final = (event.attempt, event.root)
    if event.epoch > state.epoch:
        state.finals.setdefault(event.epoch, (event.attempt, event.root))


def on_limit(state: State, event: EpochLimit) -> None:
    """The most that an epoch may pay."""
    state.limit = event.total


def on_ended(state: State, entry: EpochEnded) -> None:
    """Units that were cut are owed to the same accounts; faults that lie under the root may be signed; proofs that
    ended before it need not be remembered."""
    epoch = state.epochs.pop(entry.epoch)
    _, closed_at = epoch.given.get(epoch.final or (0, ""), (None, 0))
    state.signable |= {fault for fault, index in state.faults.items() if index < closed_at}
    run = state.runs[epoch.closed.run]
    for key, amount in _left(epoch).items():
        run.owed[key] = run.owed.get(key, 0) + amount
    state.touched_runs[epoch.closed.run] = None
    for proof in _proofs(state, epoch.closed.run):
        if proof.done and not proof.awaits and proof.ended_at < epoch.index:
            _forget(state, run, proof)
    for number in [n for n, current in run.rounds.items() if not current.proofs and n < run.round]:
        lapses.end_all(state, run.rounds[number])
        del run.rounds[number]
    roots.forget(state)


def _forget(state: State, run: RunState, proof: ProofState) -> None:
    """Messages about the proof are refused from now on."""
    commitment = proof.commitment
    del state.proofs[commitment.proof]
    del run.rounds[commitment.round].proofs[commitment.node]


def _proofs(state: State, run: RunId) -> list[ProofState]:
    return [proof for proof in state.proofs.values() if proof.commitment.run == run]
