"""The machine: a fact in, and every derived entry that is due after it, in one order.

`apply` refuses a fact or enters it; `due` derives until nothing more follows. Both are functions of the entries before
them and of nothing else: no clock, no database, no socket. `replay` is the audit of a whole log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from contracts.errors import CommonweightError
from contracts.ids import NO_ADDRESS, Address, ProofId, as_address
from contracts.protocol.judge import chain_events, entries, facts
from contracts.protocol.judge.chain_events import ChainEvent
from contracts.protocol.judge.entries import Derived, Lapsed
from contracts.protocol.judge.errors import Differs, NotBound, Refused
from contracts.protocol.judge.facts import Block, Fact, Rules, What
from contracts.protocol.judge.functions import Functions
from contracts.protocol.judge.rules import (
    epochs,
    full_bench,
    invoices,
    lapses,
    merges,
    presence,
    rounds,
    seats,
    verdicts,
)
from contracts.protocol.judge.state import Phase, ProofState, RoundState, Stage, State, VerifierState

VERSION = "0.2.0"


def apply(state: State, fact: Fact) -> None:
    """Enter one fact. Raises Refused, and then nothing has changed."""
    if (state.size == 0) != isinstance(fact, Rules):
        raise NotBound("the first entry, and no other, names the version of the rules")
    state.size += 1
    try:
        _TAKE[type(fact)](state, fact)
    except Refused:
        state.size -= 1
        raise


def due(state: State) -> list[Derived]:
    """Everything that follows now, already applied, in the order of its entries."""
    derived = []
    while (entry := _next(state)) is not None:
        state.size += 1
        _ON[type(entry)](state, entry)
        derived.append(entry)
    return derived


def replay(log: Iterable[Fact | Derived], functions: Functions) -> State:
    """Audit a log: every derived entry must be what follows, where it follows. Raises Differs with its index."""
    state = State(functions)
    pending: Iterator[Derived] = iter(())
    for index, entry in enumerate(log):
        expected = next(pending, None)
        if isinstance(entry, Derived):
            if entry != expected:
                raise Differs(index, "is not what follows from the entries before it")
            continue
        if expected is not None:
            raise Differs(index, f"stands where {type(expected).__name__} is due")
        try:
            apply(state, entry)
            pending = iter(due(state))
        except CommonweightError as error:
            raise Differs(index, f"cannot be entered: {error.detail}") from error
    missing = next(pending, None)
    if missing is not None:
        raise Differs(state.size, f"is missing: {type(missing).__name__}")
    return state


def _next(state: State) -> Derived | None:
    ending = epochs.due_ending(state)
    return ending or _next_of_proofs(state) or _next_of_rounds(state) or _next_of_runs(state)


def _next_of_proofs(state: State) -> Derived | None:
    for name in list(state.touched_proofs):
        proof = state.proofs.get(name)
        if proof is not None:
            current = state.round_of(proof)
            entry = (
                full_bench.due_fault(state, proof, current)
                or lapses.due_lapse(proof, current.k)
                or _next_of_reading(state, proof, current)
                or verdicts.due_end(proof, current)
                or verdicts.due_node_fault(state, proof)
            )
            if entry is not None:
                return entry
        del state.touched_proofs[name]
    return None


def _next_of_reading(state: State, proof: ProofState, current: RoundState) -> Derived | None:
    if proof.stage is Stage.UNDECIDED:
        return full_bench.due_late_decision(proof, current.k)
    if proof.stage is not Stage.READING or proof.void is not None:
        return None
    return (
        seats.due_draw(state, proof, current)
        or seats.due_openings_closed(proof)
        or full_bench.due_decision(proof, current.k)
        or full_bench.due_call(proof, current)
        or seats.due_substitutes(state, proof, current)
    )


def _next_of_rounds(state: State) -> Derived | None:
    for run, number in list(state.touched_rounds):
        current = state.runs[run].rounds.get(number)
        if current is not None:
            entry = (
                lapses.due_lapse(current, current.k)
                or rounds.due_closing(state, current)
                or rounds.due_miss(state, current)
                or rounds.due_beacon(state, current)
                or merges.due_merge_set(state, current)
                or merges.due_merged(current)
            )
            if entry is not None:
                return entry
        del state.touched_rounds[run, number]
        state.touched_runs[run] = None
    return None


def _next_of_runs(state: State) -> Derived | None:
    for name in list(state.touched_runs):
        run = state.runs[name]
        entry = (
            epochs.due_decision(state, name, run)
            or epochs.due_epoch(state, name, run)
            or rounds.due_opening(state, name, run)
        )
        if entry is not None:
            return entry
        del state.touched_runs[name]
    return None


def _take_rules(state: State, fact: Rules) -> None:
    if fact.version != VERSION:
        raise NotBound(f"the rules are of version {fact.version}, this machine has {VERSION}")
    state.version = fact.version


def _take_block(state: State, fact: Block) -> None:
    rounds.check_block(state, fact)
    state.block = fact
    for event in fact.events:
        _EVENT[type(event)](state, event)
    for name, run in state.runs.items():
        if not run.over:
            state.touched_runs[name] = None
        for number, current in run.rounds.items():
            if current.phase in (Phase.OPEN, Phase.CLOSED):
                state.touched_rounds[name, number] = None


def _on_lapsed(state: State, entry: Lapsed) -> None:
    """The consequences where k verifiers missed something."""
    awaited = entry.awaited
    scope, current = lapses.scope_of(state, awaited)
    lapses.end(state, scope, awaited)
    if not awaited.proof:
        _OF_A_ROUND[awaited.what](state, current, as_address(awaited.party))
        state.touched_rounds[awaited.run, awaited.round] = None
        return
    proof = state.proofs[awaited.proof]
    if awaited.what is What.SECOND_LOOK:
        full_bench.lapse_second_look(state, proof, awaited.party)
    elif awaited.what is What.PLEDGE:
        verdicts.lapse_pledge(state, proof, entry.period)
    else:
        _LAPSE[awaited.what](state, proof, as_address(awaited.party), entry.period)


def _quorum(state: State, event: chain_events.Quorum) -> None:
    state.k = event.k
    state.least_stake = event.least_stake


def _verifier(state: State, event: chain_events.VerifierStands) -> None:
    verifier = state.verifiers.setdefault(event.verifier, VerifierState())
    verifier.admitted = event.admitted
    verifier.stake = event.stake
    verifier.slashed = event.slashed


def _node_stake(state: State, event: chain_events.NodeStake) -> None:
    if event.stake:
        state.stakes[event.node] = event.stake
    else:
        state.stakes.pop(event.node, None)


def _node_slashed(state: State, event: chain_events.NodeSlashed) -> None:
    node, amount = state.slashes.pop(event.proof, (NO_ADDRESS, 0))
    if amount:
        presence.free(state, node, amount)
    _settled(state, (event.proof, node, ""))


def _verifier_slashed(state: State, event: chain_events.VerifierSlashed) -> None:
    _settled(state, (event.proof, event.verifier, event.fault))


def _settled(state: State, fault: tuple[ProofId, Address, str]) -> None:
    state.faults.pop(fault, None)
    state.signable.discard(fault)


_Handler = Callable[[State, Any], None]

_TAKE: dict[type[Fact], _Handler] = {
    Rules: _take_rules,
    Block: _take_block,
    facts.RunCreated: presence.take_run,
    facts.Anchored: presence.take_anchor,
    facts.Enrolled: presence.take_enrolment,
    facts.Left: presence.take_leave,
    facts.Returned: presence.take_return,
    facts.Committed: rounds.take_commitment,
    facts.Has: rounds.take_has,
    facts.Seen: rounds.take_seen,
    facts.Secret: seats.take_secret,
    facts.Opened: seats.take_opening,
    facts.Words: full_bench.take_words,
    facts.PledgeOpened: verdicts.take_pledge,
    facts.TraceShown: verdicts.take_trace,
    facts.Lapse: lapses.take_lapse,
    facts.MergeSigned: merges.take_merge,
    facts.Credited: epochs.take_credit,
    facts.Invoiced: invoices.take_invoice,
}

_EVENT: dict[type[ChainEvent], _Handler] = {
    chain_events.Quorum: _quorum,
    chain_events.VerifierStands: _verifier,
    chain_events.NodeStake: _node_stake,
    chain_events.NodeSlashed: _node_slashed,
    chain_events.VerifierSlashed: _verifier_slashed,
    chain_events.Decided: epochs.on_decided,
    chain_events.EpochLimit: epochs.on_limit,
    chain_events.EpochFinal: epochs.on_final,
    chain_events.EpochStruck: epochs.on_struck,
    chain_events.EpochLapsed: epochs.on_fallen,
}

_OF_A_ROUND: dict[What, Callable[[State, RoundState, Address], None]] = {
    What.COMMITMENT: rounds.lapse_commitment,
    What.SEEN: rounds.lapse_seen,
    What.SECRET: seats.lapse_secret,
}

_LAPSE: dict[What, Callable[[State, Any, Address, int], None]] = {
    What.OPENINGS: seats.lapse_openings,
    What.WORDS: seats.lapse_words,
    What.TRACE: verdicts.lapse_trace,
}

_ON: dict[type[Derived], _Handler] = {
    entries.RoundOpened: rounds.on_opened,
    entries.Lapsed: _on_lapsed,
    entries.RoundClosed: rounds.on_closed,
    entries.BeaconFixed: rounds.on_fixed,
    entries.BeaconMissed: rounds.on_missed,
    entries.PanelDrawn: seats.on_panel,
    entries.SeatsFilled: seats.on_filled,
    entries.Drawn: seats.on_drawn,
    entries.OpeningsClosed: seats.on_openings_closed,
    entries.BenchCalled: full_bench.on_called,
    entries.SecondLook: full_bench.on_second_look,
    entries.SegmentDecided: full_bench.on_decided,
    entries.PanelSpoken: verdicts.on_spoken,
    entries.Voided: verdicts.on_voided,
    entries.FaultDerived: verdicts.on_node_fault,
    entries.Posted: verdicts.on_posted,
    entries.Undecided: verdicts.on_undecided,
    entries.VerifierFault: full_bench.on_fault,
    entries.Overruled: full_bench.on_overruled,
    entries.MergeSet: merges.on_merge_set,
    entries.RoundMerged: merges.on_merged,
    entries.DecisionTaken: epochs.on_decision,
    entries.InvoicesAssessed: invoices.on_assessed,
    entries.EpochClosed: epochs.on_epoch,
    entries.EpochEnded: epochs.on_ended,
    entries.RunOver: epochs.on_over,
}
