"""Words, and the full bench, which is the last instance (J8 to J12).

segment: drawn ── all who drew it say true ──────────────────────────────▶ cleared
            └── false, drift, unserved, silence, or the pledge ──▶ questioned ── bench ──▶ true or void
"""

from __future__ import annotations

from contracts.ids import Address
from contracts.protocol.judge.entries import BenchCalled, Fault, Overruled, SecondLook, SegmentDecided, VerifierFault
from contracts.protocol.judge.errors import AlreadySaid, NotBound, NotSeated, OutOfTime
from contracts.protocol.judge.facts import FALSE_REASONS, Reason, SegmentWord, What, Word, Words
from contracts.protocol.judge.held import proof_of
from contracts.protocol.judge.rules import lapses, roots
from contracts.protocol.judge.rules.seats import about, await_words, drawn_by, owed
from contracts.protocol.judge.state import ProofState, RoundState, SegmentState, Stage, State


def take_words(state: State, fact: Words) -> None:
    """A word for each segment that its author had to read; `unserved` may be replaced once, the others never (J10).

    Another class of word on the same segment is evidence against its author. `unserved` is not: an operator who
    enters messages may enter the replaced word after the one that replaced it. Raises Refused.
    """
    proof = proof_of(state, fact.proof)
    if proof.stage in (Stage.COMMITTED, Stage.OUT):
        raise OutOfTime(f"proof {fact.proof} is {proof.stage}")
    exact = state.runs[proof.commitment.run].created.terms.exact
    _check_shape(fact, exact)
    for word in fact.words:
        _check_asked(proof, fact.verifier, word)
    roots.check(state, proof.panel_at, fact.root)
    seat = proof.seats.get(fact.verifier)
    common = proof.common if seat is not None and seat.segments is not None else None
    sealed = any(word.segment == common and word.word is not Word.UNSERVED for word in fact.words)
    if exact and sealed and not fact.witness and fact.verifier not in proof.witnesses:
        raise NotBound("words on the common segment come with a witness of its trace")
    if all((fact.verifier, word.word) in proof.segments[word.segment].heard for word in fact.words):
        raise AlreadySaid(f"{fact.verifier} has said so")
    if exact and sealed and fact.witness and fact.verifier not in proof.witnesses:
        proof.witnesses[fact.verifier] = fact.witness
        if proof.stage not in (Stage.READING, Stage.SPOKEN):
            lapses.begin(state, proof, about(proof, What.TRACE, fact.verifier))
    for word in fact.words:
        if word.word is not Word.UNSERVED and _is_in_time(proof, fact.verifier, word.segment):
            proof.segments[word.segment].read.add(fact.verifier)
        _hear(proof, fact.verifier, word)
        if not proof.segments[word.segment].sayers(Word.UNSERVED):
            lapses.end(state, proof, about(proof, What.SECOND_LOOK, str(word.segment)))
    _end_if_said(state, proof, fact.verifier)
    state.touch(proof)


def _is_in_time(proof: ProofState, verifier: Address, number: int) -> bool:
    """Whether a verifier speaks first while it is asked: a word that replaces `unserved` may have taken any time. A
    verifier that was called late on the proof counts no more (`_others_did` in seats.py)."""
    segment = proof.segments[number]
    over = proof.stage is not Stage.READING or proof.void or verifier in segment.words
    return not over and (number in drawn_by(proof, verifier) or segment.true is None)


def _check_shape(fact: Words, exact: bool) -> None:
    numbers = [word.segment for word in fact.words]
    if not numbers or len(set(numbers)) != len(numbers):
        raise NotBound("words are about different segments, at least one")
    for word in fact.words:
        fits = word.reason in FALSE_REASONS if word.word is Word.FALSE else word.reason is None
        if not fits or (exact and word.word is Word.DRIFT):
            raise NotBound(f"the reason {word.reason} does not go with the word {word.word}")


def _check_asked(proof: ProofState, verifier: Address, word: SegmentWord) -> None:
    segment = proof.segments.get(word.segment)
    seat = proof.seats.get(verifier)
    called = segment is not None and verifier in segment.called
    drew = seat is not None and seat.ready and word.segment in (seat.segments or ())
    if not (called or drew):
        raise NotSeated(f"{verifier} need not read segment {word.segment}")


def _hear(proof: ProofState, verifier: Address, word: SegmentWord) -> None:
    segment = proof.segments[word.segment]
    segment.heard.add((verifier, word.word))
    if word.word is Word.UNSERVED and segment.true and verifier not in segment.words:
        return  # k had the bytes: it answers nothing
    previous = segment.words.get(verifier)
    if previous is not None and word.word in (previous.word, Word.UNSERVED):
        return
    if previous is not None and previous.word is not Word.UNSERVED:
        if (verifier, Fault.TWO_WORDS) not in proof.found:
            proof.found.append((verifier, Fault.TWO_WORDS))
        segment.questioned = segment.questioned or proof.stage is Stage.READING
        return
    if previous is not None and verifier in segment.replaced:
        return
    if previous is not None:
        segment.replaced.add(verifier)
    segment.words[verifier] = word
    segment.questioned = segment.questioned or word.word is not Word.TRUE


def _end_if_said(state: State, proof: ProofState, verifier: Address) -> None:
    """A verifier that said all words of a period is not awaited in it any more; its other words have their own
    period."""
    awaited = about(proof, What.WORDS, verifier)
    pending = proof.awaits.get(awaited)
    if pending is None or pending.items & set(owed(proof, verifier)):
        return
    lapses.end(state, proof, awaited)
    await_words(state, proof, verifier)


def due_decision(proof: ProofState, k: int) -> SegmentDecided | SecondLook | None:
    """k equal words decide a questioned segment; `false` and `unserved` count together only after a second look, and
    an `unserved` that may be replaced has one when everybody else is heard."""
    for number, segment in sorted(proof.segments.items()):
        if not segment.questioned or segment.true is not None:
            continue
        decision = _decide(proof, number, segment, k)
        if decision is not None:
            return decision
    return None


def due_late_decision(proof: ProofState, k: int) -> SegmentDecided | None:
    """k equal words about an undecided proof pay nobody and cost its node nothing; they show who lied."""
    for number, segment in sorted(proof.segments.items()):
        decision = _decide(proof, number, segment, k) if segment.questioned and segment.true is None else None
        if isinstance(decision, SegmentDecided):
            return decision
    return None


def _decide(proof: ProofState, number: int, segment: SegmentState, k: int) -> SegmentDecided | SecondLook | None:
    name = proof.commitment.proof
    false = segment.sayers(Word.FALSE)
    unserved = segment.sayers(Word.UNSERVED)
    if len(segment.sayers(Word.TRUE)) >= k:
        return SegmentDecided(name, number, True, None)
    if len(false) >= k:
        return SegmentDecided(name, number, False, _reason(segment, false))
    if len(segment.sayers(Word.DRIFT)) >= k:
        return SegmentDecided(name, number, False, Reason.DRIFT)
    together = frozenset(false | unserved)
    if about(proof, What.SECOND_LOOK, str(number)) in proof.awaits:
        return None
    if len(together & segment.looked) >= k:
        return SegmentDecided(name, number, False, Reason.UNSERVED)
    replaceable = bool(unserved - segment.looked) and bool(segment.called) and _is_heard(proof, segment)
    return SecondLook(name, number) if len(together) >= k or replaceable else None


def _reason(segment: SegmentState, false: set[Address]) -> Reason:
    """The reason that most give; of equally many, the first in the order of reasons."""
    reasons = [segment.words[name].reason for name in false]
    order = [reason for reason in Reason if reason in FALSE_REASONS]
    return max(order, key=reasons.count)


def on_second_look(state: State, entry: SecondLook) -> None:
    """One more period in which `unserved` may be replaced."""
    proof = state.proofs[entry.proof]
    lapses.begin(state, proof, about(proof, What.SECOND_LOOK, str(entry.segment)))
    state.touch(proof)


def lapse_second_look(state: State, proof: ProofState, party: str) -> None:
    """The `false` and `unserved` that are left count together from now on; after k said true, a verifier that still
    says `unserved` is overruled."""
    segment = proof.segments[int(party)]
    if segment.true:
        segment.stood = segment.sayers(Word.UNSERVED)
    segment.looked = frozenset(segment.sayers(Word.FALSE) | segment.sayers(Word.UNSERVED))
    state.touch(proof)


def on_decided(state: State, entry: SegmentDecided) -> None:
    """A true segment is read; a void one ends the reading."""
    proof = state.proofs[entry.proof]
    segment = proof.segments[entry.segment]
    segment.true = entry.true
    if proof.stage is not Stage.READING:
        return
    awaited = about(proof, What.SECOND_LOOK, str(entry.segment))
    lapses.end(state, proof, awaited)
    if entry.true and segment.sayers(Word.UNSERVED):
        lapses.begin(state, proof, awaited)
    for verifier in {*segment.called, *segment.drawers}:
        _end_if_said(state, proof, verifier)
    if not entry.true:
        assert entry.reason is not None, "a void segment has a reason"
        proof.void = proof.void or (entry.reason, entry.segment)
    state.touch(proof)


def due_call(proof: ProofState, current: RoundState) -> BenchCalled | None:
    """The first 2k - 1 of the order, then the rest where all of these have spoken or lapsed without k equal words."""
    for number, segment in sorted(proof.segments.items()):
        if not segment.questioned or segment.true is not None or segment.wide:
            continue
        first = proof.order[: 2 * current.k - 1]
        if not segment.called:
            return BenchCalled(proof.commitment.proof, number, first)
        rest = tuple(name for name in proof.order if name not in segment.called)
        looking = about(proof, What.SECOND_LOOK, str(number)) in proof.awaits
        if rest and not looking and _is_heard(proof, segment):
            return BenchCalled(proof.commitment.proof, number, rest)
    return None


def _is_heard(proof: ProofState, segment: SegmentState) -> bool:
    """Whether all verifiers that were called to a segment have spoken, or fell silent and are awaited no more."""
    return all(
        name in segment.words or (name in proof.silent and about(proof, What.WORDS, name) not in proof.awaits)
        for name in segment.called
    )


def on_called(state: State, entry: BenchCalled) -> None:
    """Each member has a period to read the segment and what it owes besides; one that owed it already gains no time."""
    proof = state.proofs[entry.proof]
    segment = proof.segments[entry.segment]
    segment.wide = bool(segment.called)
    segment.called.update(entry.members)
    for verifier in entry.members:
        await_words(state, proof, verifier)
    state.touch(proof)


def is_read(proof: ProofState) -> bool:
    """Whether all that was ever drawn is cleared by those who drew it, or true in the eyes of the bench (J8)."""
    return all(segment.true or _is_cleared(segment) for segment in proof.segments.values())


def _is_cleared(segment: SegmentState) -> bool:
    words = (segment.words.get(name) for name in segment.drawers)
    return not segment.questioned and all(word is not None and word.word is Word.TRUE for word in words)


def due_fault(state: State, proof: ProofState, current: RoundState) -> VerifierFault | Overruled | None:
    """Faults that a proof has shown against verifiers: each once."""
    terms = state.runs[current.run].created.terms
    name = proof.commitment.proof
    wrong = _wrong(proof, current.k) if terms.exact else []
    for verifier, fault in (*proof.found, *wrong):
        if (verifier, fault) not in proof.faults:
            return VerifierFault(current.run, current.number, name, verifier, fault)
    for verifier in _overruled(proof, current.k):
        if verifier not in proof.overruled:
            return Overruled(current.run, name, verifier, current.number + terms.behind_rounds)
    return None


def _wrong(proof: ProofState, k: int) -> list[tuple[Address, Fault]]:
    """In bit-exact runs a word against k equal ones is no accident (J12)."""
    faults: list[tuple[Address, Fault]] = []
    for segment in proof.segments.values():
        if segment.true is True:
            faults += [(name, Fault.FALSE_WORD) for name in sorted(segment.sayers(Word.FALSE))]
        if segment.true is False and len(segment.sayers(Word.FALSE)) >= k:
            faults += [(name, Fault.PASSED_A_FAKE) for name in sorted(segment.sayers(Word.TRUE))]
    return faults


def _overruled(proof: ProofState, k: int) -> list[Address]:
    """Verifiers that said true against k that say otherwise, or the other way round; and those whose `unserved` stood
    for a whole period after k had the bytes. A segment that is void as unserved overrules nobody."""
    verifiers: list[Address] = []
    for segment in proof.segments.values():
        against: tuple[Word, ...] = ()
        if segment.true is True:
            against = (Word.FALSE, Word.DRIFT)
            verifiers += [name for name in sorted(segment.stood) if name not in verifiers]
        elif segment.true is False and any(len(segment.sayers(word)) >= k for word in (Word.FALSE, Word.DRIFT)):
            against = (Word.TRUE,)
        verifiers += [name for word in against for name in sorted(segment.sayers(word)) if name not in verifiers]
    return verifiers


def on_fault(state: State, entry: VerifierFault) -> None:
    """The fault is named once."""
    state.proofs[entry.proof].faults.add((entry.verifier, entry.fault))
    state.faults[entry.proof, entry.verifier, entry.fault] = state.size - 1
    state.runs[entry.run].unsettled = True
    state.touch(state.proofs[entry.proof])


def on_overruled(state: State, entry: Overruled) -> None:
    """The verifier sits behind the others for some rounds."""
    state.proofs[entry.proof].overruled.add(entry.verifier)
    behind = state.runs[entry.run].behind
    behind[entry.verifier] = max(entry.until, behind.get(entry.verifier, 0))
    state.touch(state.proofs[entry.proof])
