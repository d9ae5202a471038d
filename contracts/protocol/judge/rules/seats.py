"""Seats, draws and openings: which segments of a proof are read, and by whom (J6 to J9).

seat: sits ── secret ──▶ drew ── openings ──▶ ready ── words ──▶ spoke
        └── its secret or its words lapse ──▶ given up: the next of the order sit down
"""

from __future__ import annotations

from contracts.ids import NO_PROOF, Address
from contracts.protocol.judge.entries import Drawn, Fault, OpeningsClosed, PanelDrawn, SeatsFilled
from contracts.protocol.judge.errors import AlreadySaid, NotSeated, OutOfTime
from contracts.protocol.judge.facts import Awaited, Opened, Reason, Secret, What
from contracts.protocol.judge.held import proof_of, require_speaker, round_of
from contracts.protocol.judge.rules import lapses
from contracts.protocol.judge.state import Phase, ProofState, RoundState, Seat, SegmentState, Stage, State


def about(proof: ProofState, what: What, party: str) -> Awaited:
    """The thing awaited of `party` for a proof."""
    commitment = proof.commitment
    return Awaited(what, commitment.run, commitment.round, commitment.proof, party)


def on_panel(state: State, entry: PanelDrawn) -> None:
    """The first of the order sit down; a proof that the coin spared waits for its pledge alone."""
    proof = state.proofs[entry.proof]
    current = state.round_of(proof)
    current.phase = Phase.READING
    lapses.end(state, current, Awaited(What.SEEN, current.run, current.number, NO_PROOF, ""))
    proof.audited = entry.audited
    proof.order = entry.order
    proof.beacon = entry.beacon
    proof.panel_at = state.size - 1
    if not entry.audited:
        proof.stage = Stage.SPOKEN
        lapses.begin(state, proof, about(proof, What.PLEDGE, proof.commitment.node))
    else:
        proof.stage = Stage.READING
        segments = state.functions.segments(current.config)
        proof.common = state.functions.common_segment(entry.beacon, entry.proof, segments)
        sit(state, proof, entry.seats)
    state.touch(proof)


def sit(state: State, proof: ProofState, verifiers: tuple[Address, ...]) -> None:
    """Seat them, and await the secrets that are not known."""
    current = state.round_of(proof)
    for verifier in verifiers:
        proof.seats[verifier] = Seat()
        awaited = Awaited(What.SECRET, current.run, current.number, NO_PROOF, verifier)
        if verifier not in current.secrets and awaited not in current.awaits:
            lapses.begin(state, current, awaited)
    state.touch(proof)


def take_secret(state: State, fact: Secret) -> None:
    """One secret serves all draws of a verifier's round. Raises Refused."""
    current = round_of(state, fact.run, fact.round)
    require_speaker(current, fact.verifier)
    if current.phase in (Phase.OPEN, Phase.CLOSED):
        raise OutOfTime(f"the panels of round {fact.round} are not drawn")
    if fact.verifier in current.secrets:
        raise AlreadySaid(f"{fact.verifier} has shown its secret")
    seated = [p for p in held_proofs(state, current) if fact.verifier in p.seats]
    if not seated:
        raise NotSeated(f"{fact.verifier} has no seat in round {fact.round}")
    bound = current.anchors[fact.verifier]
    state.functions.check_secret(bound, fact.round - bound.first, fact.secret, fact.path)
    current.secrets[fact.verifier] = fact.secret
    lapses.end(state, current, Awaited(What.SECRET, fact.run, fact.round, NO_PROOF, fact.verifier))
    for proof in seated:
        state.touch(proof)


def lapse_secret(state: State, current: RoundState, verifier: Address) -> None:
    """The verifier gives up every seat on which it has not drawn, and sits in no later round until it returns.

    The bench may call it all the same, and waits for it as for everybody.
    """
    state.runs[current.run].away[verifier] = state.size - 1
    for proof in held_proofs(state, current):
        seat = proof.seats.get(verifier)
        if seat is not None and seat.segments is None:
            seat.given_up = True
            state.touch(proof)


def due_draw(state: State, proof: ProofState, current: RoundState) -> Drawn | None:
    """The draw of a seat whose secret is known; one that came late draws while fewer than k have."""
    terms = state.runs[current.run].created.terms
    for verifier, seat in proof.seats.items():
        secret = current.secrets.get(verifier)
        late = seat.given_up and _drew(proof) >= current.k
        if secret is None or seat.segments is not None or late:
            continue
        count = state.functions.segments(current.config)
        name = proof.commitment.proof
        return Drawn(name, verifier, state.functions.draw(proof.beacon, secret, name, count, terms.samples))
    return None


def on_drawn(state: State, entry: Drawn) -> None:
    """The node has a period of its own for each draw."""
    proof = state.proofs[entry.proof]
    proof.seats[entry.verifier].segments = entry.segments
    for segment in entry.segments:
        proof.segments.setdefault(segment, SegmentState()).drawers.append(entry.verifier)
    if not _is_open(proof, entry.segments):
        lapses.begin(state, proof, about(proof, What.OPENINGS, entry.verifier))
    state.touch(proof)


def due_substitutes(state: State, proof: ProofState, current: RoundState) -> SeatsFilled | None:
    """While fewer sit than should, or after a lapse of a seat, the next of the order who are there sit down: up to
    2k - 1 in all, the rest only while fewer than k drew (J8)."""
    seats = proof.seats
    run = state.runs[current.run]
    active = sum(not seat.given_up and name not in proof.silent for name, seat in seats.items())
    if active == len(seats) and active >= min(max(run.created.terms.panel, current.k), len(proof.order)):
        return None
    limit = 2 * current.k - 1
    if _drew(proof) < current.k and not _drawing(proof):
        limit = len(proof.order)
    present = [n for n in proof.order if n not in seats and n not in proof.silent and n not in run.away]
    following = present[: max(0, limit - len(seats))]
    return SeatsFilled(proof.commitment.proof, tuple(following)) if following else None


def on_filled(state: State, entry: SeatsFilled) -> None:
    """The next sit down."""
    sit(state, state.proofs[entry.proof], entry.verifiers)


def take_opening(state: State, fact: Opened) -> None:
    """A boundary that a draw asks for, in time. Raises Refused."""
    check_opening(state, fact)
    proof = proof_of(state, fact.proof)
    proof.opened.add(fact.boundary)
    state.touch(proof)


def check_opening(state: State, fact: Opened) -> None:
    """Raises Refused unless the opening may be taken; reads the state and changes nothing."""
    proof = proof_of(state, fact.proof)
    if proof.stage is not Stage.READING:
        raise OutOfTime(f"proof {fact.proof} is {proof.stage}")
    if fact.boundary in proof.opened:
        raise AlreadySaid(f"boundary {fact.boundary} is open")
    if not any(fact.boundary in (segment, segment + 1) for segment in proof.segments):
        raise NotSeated(f"no draw asks for boundary {fact.boundary}")
    committed = proof.commitment
    state.functions.check_opening(committed.root, committed.segments + 1, fact.boundary, fact.state, fact.path)


def due_openings_closed(proof: ProofState) -> OpeningsClosed | None:
    """A draw of which all is open."""
    for verifier, seat in proof.seats.items():
        if seat.segments is not None and not seat.ready and _is_open(proof, seat.segments):
            return OpeningsClosed(proof.commitment.proof, verifier)
    return None


def on_openings_closed(state: State, entry: OpeningsClosed) -> None:
    """The verifier's period to read begins."""
    proof = state.proofs[entry.proof]
    proof.seats[entry.verifier].ready = True
    lapses.end(state, proof, about(proof, What.OPENINGS, entry.verifier))
    if entry.verifier in proof.silent:
        question(proof, entry.verifier)
    await_words(state, proof, entry.verifier)
    state.touch(proof)


def lapse_openings(state: State, proof: ProofState, verifier: Address, period: int) -> None:
    """A state that is not opened after a second period is withheld, whatever comes later."""
    if period == 1:
        lapses.begin(state, proof, about(proof, What.OPENINGS, verifier), 2)
    else:
        proof.void = proof.void or (Reason.WITHHELD, None)
    state.touch(proof)


def owed(proof: ProofState, verifier: Address) -> list[int]:
    """Segments on which a verifier has to say a word: all that it drew and can read, decided or not, and what it was
    called to while that is open."""
    seat = proof.seats.get(verifier)
    drew = set(seat.segments or ()) if seat is not None and seat.ready else set()
    return [
        number
        for number, segment in sorted(proof.segments.items())
        if verifier not in segment.words and (number in drew or (verifier in segment.called and segment.true is None))
    ]


def await_words(state: State, proof: ProofState, verifier: Address) -> None:
    """Await what a verifier owes from now on, if nothing is awaited of it; one that fell silent on this proof is not
    waited for again."""
    awaited = about(proof, What.WORDS, verifier)
    due = owed(proof, verifier)
    if due and verifier not in proof.silent and awaited not in proof.awaits:
        lapses.begin(state, proof, awaited, items=frozenset(due))


def lapse_words(state: State, proof: ProofState, verifier: Address, period: int) -> None:
    """A first lapse gives the seat up and puts what it drew before the full bench; a second one costs stake, once a
    round, where something that it drew is left and k others read all that it owed in time (J12)."""
    current = state.round_of(proof)
    state.runs[current.run].away[verifier] = state.size - 1
    proof.silent.add(verifier)
    question(proof, verifier)
    due = frozenset(owed(proof, verifier))
    if period == 2:
        if drawn_by(proof, verifier) & due and _others_did(proof, due, current.k) and verifier not in current.silent:
            current.silent.add(verifier)
            proof.found.append((verifier, Fault.FELL_SILENT))
    elif due:
        lapses.begin(state, proof, about(proof, What.WORDS, verifier), 2, due)
    state.touch(proof)


def _others_did(proof: ProofState, due: frozenset[int], k: int) -> bool:
    """Whether k others have read all these segments by now. One of them is honest, so there was time enough; where they
    were silent as well, had no bytes, or were called late by anybody, be it behind their words, that is not known."""
    return all(len(proof.segments[number].read - proof.late) >= k for number in due)


def question(proof: ProofState, verifier: Address) -> None:
    """Segments that a silent verifier drew and said nothing about go to the bench."""
    for number in drawn_by(proof, verifier) & set(owed(proof, verifier)):
        proof.segments[number].questioned = True


def drawn_by(proof: ProofState, verifier: Address) -> set[int]:
    """The segments of a seat."""
    seat = proof.seats.get(verifier)
    return set(seat.segments or ()) if seat is not None else set()


def come_back(state: State, proof: ProofState, verifier: Address) -> None:
    """A verifier that fell silent on a proof, or gave its seat up, and returned is awaited once more."""
    if proof.done:
        return
    state.touch(proof)
    if verifier in proof.back:
        return
    seat = proof.seats.get(verifier)
    if verifier in proof.silent:
        proof.back.add(verifier)
        proof.silent.discard(verifier)
        await_words(state, proof, verifier)
    elif seat is not None and seat.given_up and proof.stage is Stage.READING:
        proof.back.add(verifier)
        seat.given_up = False
        if seat.segments is None:
            del proof.seats[verifier]


def end_secrets(state: State, current: RoundState) -> None:
    """A secret is awaited while one of its seats may still draw."""
    reading = [proof for proof in held_proofs(state, current) if proof.stage is Stage.READING]
    seats = {name for proof in reading for name, seat in proof.seats.items() if seat.segments is None}
    for awaited in [a for a in current.awaits if a.what is What.SECRET and a.party not in seats]:
        lapses.end(state, current, awaited)


def is_answered(proof: ProofState, k: int) -> bool:
    """Whether every seat has drawn or was given up, at least k drew, and everybody who drew has spoken or lapsed."""
    if _drawing(proof) or _drew(proof) < k:
        return False
    drew = (name for name, seat in proof.seats.items() if seat.segments is not None)
    return all(name in proof.silent or not owed(proof, name) for name in drew)


def _drew(proof: ProofState) -> int:
    return sum(seat.segments is not None for seat in proof.seats.values())


def _drawing(proof: ProofState) -> bool:
    return any(seat.segments is None and not seat.given_up for seat in proof.seats.values())


def _is_open(proof: ProofState, segments: tuple[int, ...]) -> bool:
    return all(segment in proof.opened and segment + 1 in proof.opened for segment in segments)


def held_proofs(state: State, current: RoundState) -> list[ProofState]:
    """The proofs of a closing entry that are held."""
    return [state.proofs[name] for name in current.closed if name in state.proofs]
