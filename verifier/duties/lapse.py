"""`Lapse`: a message that did not come within a whole period of looks that count (J3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from contracts.ids import NO_PROOF, ZERO_ADDRESS, Address, as_address, from_hex
from contracts.messages.for_log import Lapse
from contracts.protocol.draw import NO_SEGMENT
from contracts.protocol.judge.facts import Awaited, What
from contracts.protocol.judge.state import RoundState, State
from contracts.protocol.log.signed import WHAT, ZERO
from verifier.duties.lapse_periods import allowed
from verifier.duties.last_seen import absence_of, is_shown, renewal
from verifier.duties.world import World
from verifier.mirror.exchange.handing_on import Look
from verifier.mirror.store.parsing import Claim
from verifier.mirror.store.stopwatch import Absence, Came, Observation

Counts: TypeAlias = Callable[[int], bool]
"""Whether a look counts when the verifiers that it reached must hold so many entries."""


def watch(world: World, look: Look, chain: bool) -> Counts:
    """Enter a look: all that the machine awaits, and what was seen of it. Returns whether the look counts for mirrors
    of so many entries, in all rounds of this verifier; where it has no run, among the admitted verifiers.

    An admitted verifier that takes no part in a run keeps no other from signing the run's epochs; nor does a removed
    one, or a run that is over. `chain` says whether this verifier's chain node answered: without an answer the time
    that a node took is unknown.
    """
    claims = [held.signed.claim for held in world.messages.held()]
    with world.replica.reading() as state:
        log = world.replica.collected
        mine = {absence: absence.awaited for absence in _open(state, world.address)}
        admitted = frozenset(name for name, verifier in state.verifiers.items() if verifier.admitted)
        own = [(current.verifiers, current.k) for current in _rounds(state, world.address)] or [(admitted, state.k)]
        came = tuple(_came(state)) if chain else ()
        rounds = {absence: state.runs[awaited.run].rounds[awaited.round] for absence, awaited in mine.items()}
        for_each = {a: look.counts(r.verifiers, r.k, chain, a.since + 1, admitted) for a, r in rounds.items()}
        reached = {absence: look.reached(r.verifiers, r.k, admitted) for absence, r in rounds.items()}
        took = {run: world.stopwatch.took(run) for run in {awaited.run for awaited in mine.values()}}
        signs = {absence: _sign(state, awaited, claims) for absence, awaited in mine.items()}
        shown = {absence: is_shown(state, awaited, claims, world.address) for absence, awaited in mine.items()}
        passed = {absence: world.stopwatch.passed(absence) for absence in mine}
        seen = {
            absence: Observation(
                allowed(state, log, awaited, passed[absence], partial(_kept, world, absence), took[awaited.run]),
                shown[absence],
                signs[absence],
                for_each[absence],
                reached[absence],
            )
            for absence, awaited in mine.items()
        }
    world.stopwatch.look(seen, came)
    return lambda entries: all(look.counts(verifiers, k, chain, entries, admitted) for verifiers, k in own)


def lapse(world: World) -> None:
    """Sign the lapses that are due; and once more those that were released and are open, if a kill came between."""
    with world.replica.reading() as state:
        still = set(_open(state, world.address))
    for absence in [*world.stopwatch.released(), *world.stopwatch.due()]:
        if absence not in still or _is_own(absence.awaited, world.address):
            continue
        root = world.root(absence.since)
        if root is not None and (absence in world.stopwatch.released() or world.stopwatch.release(absence)):
            message = lapse_message(world.address, absence, root)
            if world.voice.say(message):
                awaited = absence.awaited
                detail = f"{awaited.what} of {awaited.party or 'the verifiers'}, since entry {absence.since}"
                world.say("lapse", awaited.round, awaited.proof, detail)


def _is_own(awaited: Awaited, verifier: Address) -> bool:
    """Whether this verifier itself is late. Of openings the party is the verifier that drew, and the node is late."""
    return awaited.party == verifier and awaited.what is not What.OPENINGS


def lapse_message(verifier: Address, absence: Absence, root: bytes) -> Lapse:
    """The lapse, as contracts/protocol/log/signed.py reads it; `root` is the log's, up to the entry `absence.since`."""
    awaited = absence.awaited
    looks = awaited.what is What.SECOND_LOOK
    nobody = awaited.what in (What.SECOND_LOOK, What.SEEN)
    return Lapse(
        run=from_hex(awaited.run),
        round=awaited.round,
        verifier=verifier,
        what=WHAT.index(awaited.what),
        proof=from_hex(awaited.proof) if awaited.proof else ZERO,
        party=ZERO_ADDRESS if nobody else as_address(awaited.party),
        segment=int(awaited.party) if looks else NO_SEGMENT,
        since=absence.since,
        root=root,
    )


def _open(state: State, verifier: Address) -> list[Absence]:
    """Absences in rounds in which this verifier's word counts, and for which the log has no lapse of it yet."""
    absences = []
    for awaited, since in state.open.items():
        current = state.runs[awaited.run].rounds.get(awaited.round)
        if current is not None and verifier in current.verifiers and not _is_said(state, awaited, verifier):
            absences.append(absence_of(state, awaited, since))
    return absences


def _rounds(state: State, verifier: Address) -> list[RoundState]:
    going = (run for run in state.runs.values() if not run.over)
    rounds = (current for run in going for current in run.rounds.values())
    return [current for current in rounds if verifier in current.verifiers]


def _is_said(state: State, awaited: Awaited, verifier: Address) -> bool:
    scope = state.proofs[awaited.proof] if awaited.proof else state.runs[awaited.run].rounds[awaited.round]
    return verifier in scope.awaits[awaited].words


def _came(state: State) -> Iterator[Came]:
    """Commitments that are in the log, and awaited no more. An absence that ended by a lapse has no commitment, and
    nothing to measure."""
    for run in state.runs.values():
        for current in run.rounds.values():
            for node in current.proofs:
                if Awaited(What.COMMITMENT, current.run, current.number, NO_PROOF, node) not in state.open:
                    yield Came(current.run, current.number, node, current.opened_at)


def _sign(state: State, awaited: Awaited, claims: Sequence[Claim]) -> str:
    """The newest sign of life of the node whose commitment is awaited."""
    if awaited.what is not What.COMMITMENT:
        return ""
    if awaited.party in state.runs[awaited.run].rounds[awaited.round].proofs:
        return "committed"
    step = renewal(awaited, claims)
    return "" if step is None else f"step {step}"


def _kept(world: World, absence: Absence, bound: float) -> float:
    awaited = absence.awaited
    return world.memory.bound(f"{awaited.run}/{awaited.round}/{awaited.party}/{absence.since}/{absence.root}", bound)
