"""Awaited things and their lapses: on the word of k verifiers, never by a clock (J3)."""

from __future__ import annotations

from contracts.ids import as_address
from contracts.protocol.judge.entries import Lapsed
from contracts.protocol.judge.errors import AlreadySaid, NotAwaited, NotSeated, UnknownSubject
from contracts.protocol.judge.facts import Awaited, Lapse, What
from contracts.protocol.judge.rules import roots
from contracts.protocol.judge.state import Await, ProofState, RoundState, Scope, State


def begin(state: State, scope: Scope, awaited: Awaited, period: int = 1, items: frozenset[int] = frozenset()) -> None:
    """Await something from the entry that is being applied on; what was awaited before begins anew."""
    end(state, scope, awaited)
    scope.awaits[awaited] = Await(state.size - 1, period, items=items)
    state.open[awaited] = state.size - 1


def end(state: State, scope: Scope, awaited: Awaited) -> None:
    """The awaited thing came, or is no longer needed: a lapse that is on its way has no effect."""
    pending = scope.awaits.pop(awaited, None)
    if pending is not None:
        scope.past[awaited, pending.since] = pending.words
        del state.open[awaited]


def end_all(state: State, scope: Scope, keep: frozenset[Awaited] = frozenset()) -> None:
    """Nothing but `keep` is awaited any more."""
    for awaited in [key for key in scope.awaits if key not in keep]:
        end(state, scope, awaited)


def take_lapse(state: State, fact: Lapse) -> None:
    """Count a verifier's word. Raises UnknownSubject, NotSeated, NotAwaited and AlreadySaid."""
    scope, current = scope_of(state, fact.awaited)
    if fact.verifier not in current.verifiers:
        raise NotSeated(f"{fact.verifier} is no verifier of round {current.number}")
    _count(state, scope, current, fact)
    if isinstance(scope, ProofState) and fact.awaited.what is What.WORDS:
        scope.late.add(as_address(fact.awaited.party))


def _count(state: State, scope: Scope, current: RoundState, fact: Lapse) -> None:
    """Count a lapse towards the k of its period; the lapse of a period that is over is entered without effect."""
    pending = scope.awaits.get(fact.awaited)
    if pending is None or pending.since != fact.since:
        _note_late(scope, fact)
        return
    if fact.verifier in pending.words:
        raise AlreadySaid(f"{fact.verifier} has said so")
    roots.check(state, fact.since, fact.root)
    pending.words.add(fact.verifier)
    if len(pending.words) >= current.k:
        _touch(state, scope, current)


def _note_late(scope: Scope, fact: Lapse) -> None:
    """The awaited thing came meanwhile, or lapsed: the message is entered once, without effect."""
    verifiers = scope.past.get((fact.awaited, fact.since))
    if verifiers is None:
        raise NotAwaited(f"nothing like it is awaited since entry {fact.since}")
    if fact.verifier in verifiers:
        raise AlreadySaid(f"{fact.verifier} has said so")
    verifiers.add(fact.verifier)


def scope_of(state: State, awaited: Awaited) -> tuple[Scope, RoundState]:
    """Where something is awaited, and the round whose verifiers may say that it lapsed. Raises UnknownSubject."""
    run = state.runs.get(awaited.run)
    current = run.rounds.get(awaited.round) if run else None
    if current is None:
        raise UnknownSubject(f"no round {awaited.round} of {awaited.run}")
    if not awaited.proof:
        return current, current
    proof = state.proofs.get(awaited.proof)
    if proof is None or state.round_of(proof) is not current:
        raise UnknownSubject(f"no proof {awaited.proof} in round {awaited.round}")
    return proof, current


def due_lapse(scope: Scope, k: int) -> Lapsed | None:
    """The first thing, in the order in which they were begun, that k verifiers missed."""
    for awaited, pending in scope.awaits.items():
        if len(pending.words) >= k:
            return Lapsed(awaited, pending.since, pending.period)
    return None


def _touch(state: State, scope: Scope, current: RoundState) -> None:
    if isinstance(scope, ProofState):
        state.touch(scope)
    else:
        state.touched_rounds[current.run, current.number] = None
