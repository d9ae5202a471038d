"""Whether the machine would enter a fact at its head: the machine itself decides, over copies of the changed parts.

Only the run, the round and the proofs that a fact is about are copied, and only after its author was found to have a
part in them, and to have signed: so a stranger's message costs a look into a dictionary, and a signature at most.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from contracts.ids import NO_ADDRESS, Address, ProofId, RunId, to_hex
from contracts.messages.for_log import LeaseRenewal
from contracts.protocol.judge import facts
from contracts.protocol.judge.errors import NotSeated, OutOfTime, UnknownSubject
from contracts.protocol.judge.facts import Fact
from contracts.protocol.judge.held import proof_of, require_speaker, round_of
from contracts.protocol.judge.machine import apply
from contracts.protocol.judge.rules.invoices import names_of
from contracts.protocol.judge.rules.presence import live_run
from contracts.protocol.judge.rules.seats import check_opening
from contracts.protocol.judge.state import Phase, RoundState, RunState, State

_OF_A_PROOF = (facts.Opened, facts.Words, facts.PledgeOpened, facts.TraceShown)
_OF_A_ROUND = (facts.Has, facts.Seen, facts.Secret, facts.MergeSigned)
_OF_A_RUN = (facts.Anchored, facts.Enrolled, facts.Left, facts.Returned, facts.Credited, facts.Invoiced)


def check_entry(state: State, fact: Fact) -> None:
    """Raises Refused unless the machine would enter this signed fact now."""
    check_part(state, fact)
    apply(_overlay(state, fact), fact)


def check_part(state: State, fact: Fact) -> None:
    """Cheap checks, before any signer is known: the fact's subject exists, its author has a part in the subject, and it
    names no more than the subject has. Raises Refused."""
    if isinstance(fact, _OF_A_PROOF):
        commitment = proof_of(state, fact.proof).commitment
        if isinstance(fact, (facts.Words, facts.TraceShown)):
            require_speaker(round_of(state, commitment.run, commitment.round), fact.verifier)
        elif isinstance(fact, facts.Opened):
            check_opening(state, fact)  # a refused one copies no proof, however many segments that has
    elif isinstance(fact, facts.Lapse):
        require_speaker(round_of(state, fact.awaited.run, fact.awaited.round), fact.verifier)
    elif isinstance(fact, facts.Committed):
        if fact.node not in round_of(state, fact.run, fact.round).listed:
            raise NotSeated(f"{fact.node} takes no part in round {fact.round}")
    elif isinstance(fact, _OF_A_ROUND):
        current = round_of(state, fact.run, fact.round)
        require_speaker(current, fact.verifier)
        if isinstance(fact, facts.Has) and len(fact.proofs) > len(current.proofs):
            raise UnknownSubject("it names more proofs than the round has")
    elif isinstance(fact, _OF_A_RUN):
        live_run(state, fact.run)


def check_renewal(state: State, renewal: LeaseRenewal) -> None:
    """A heartbeat of a node that is awaited in an open round. Raises Refused."""
    current = round_of(state, RunId(to_hex(renewal.run)), renewal.round)
    if renewal.node not in current.listed:
        raise NotSeated(f"{renewal.node} takes no part in round {renewal.round}")
    if current.phase is not Phase.OPEN or renewal.node in current.proofs:
        raise OutOfTime(f"nothing of {renewal.node} is awaited in round {renewal.round}")


def _overlay(state: State, fact: Fact) -> State:
    """A state in which the fact can be entered without a trace. Raises Refused for a fact without a part in it."""
    if isinstance(fact, _OF_A_PROOF):
        return _with_proofs(state, (fact.proof,))
    if isinstance(fact, facts.Lapse):
        awaited = fact.awaited
        return (
            _with_proofs(state, (awaited.proof,)) if awaited.proof else _with_round(state, awaited.run, awaited.round)
        )
    if isinstance(fact, facts.Committed):
        return _with_round(state, fact.run, fact.round)
    if isinstance(fact, _OF_A_ROUND):
        return _with_round(state, fact.run, fact.round, fact.proofs if isinstance(fact, facts.Has) else ())
    if isinstance(fact, _OF_A_RUN):
        return _with_run(state, fact)
    if isinstance(fact, facts.RunCreated):
        return replace(_shared(state), runs=dict(state.runs), nonces=set(state.nonces))
    raise NotSeated(f"{type(fact).__name__} is no message")


def _shared(state: State) -> State:
    """A state that shares all parts but those that every fact writes into."""
    return replace(
        state,
        open=dict(state.open),
        reserved=dict(state.reserved),
        touched_proofs={},
        touched_rounds={},
        touched_runs={},
    )


def _with_proofs(state: State, names: tuple[ProofId, ...]) -> State:
    """A state in which these proofs are copies. Raises UnknownSubject."""
    copies = {name: deepcopy(proof_of(state, name)) for name in names}
    return replace(_shared(state), proofs={**state.proofs, **copies})


def _with_round(state: State, run: RunId, number: int, proofs: tuple[ProofId, ...] = ()) -> State:
    """A state in which this round is a copy, and so are these proofs where the state has them."""
    copied: RoundState = deepcopy(round_of(state, run, number))
    runs = {**state.runs, run: replace(state.runs[run], rounds={number: copied})}
    names = tuple(name for name in dict.fromkeys(proofs) if name in state.proofs)
    return replace(_with_proofs(state, names), runs=runs)


def _with_run(state: State, fact: Fact) -> State:
    """A state in which this run is a copy, without the rounds, which a return would change. Raises UnknownSubject and
    RunEnded."""
    assert isinstance(fact, _OF_A_RUN), "asked for these alone"
    run = state.runs[fact.run] if fact.run in state.runs else live_run(state, fact.run)
    author: Address = getattr(fact, "node", getattr(fact, "party", NO_ADDRESS))
    nodes = {**run.nodes, **{name: deepcopy(run.nodes[name]) for name in (author,) if name in run.nodes}}
    copied: RunState = replace(
        run,
        nodes=nodes,
        anchors=dict(run.anchors),
        away=dict(run.away),
        earned={kind: dict(amounts) for kind, amounts in run.earned.items()},
        rounds=run.rounds if isinstance(fact, facts.Enrolled | facts.Invoiced) else {},
        worked=dict(run.worked),
        invoices=list(run.invoices),
    )
    found = replace(_shared(state), runs={**state.runs, fact.run: copied})
    if isinstance(fact, facts.Credited):
        found.credited = set(state.credited)
    if isinstance(fact, facts.Invoiced):
        named = {name: list(state.hired[name]) for name in names_of(fact) if name in state.hired}
        found.hired = {**state.hired, **named}
    return found
