"""I1, first half: no proof is paid of which an honest seat's segment is false or was never shown."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.protocol.judge.entries import Posted
from contracts.protocol.judge.facts import Committed, What, Word
from tests.adversary.history import Work
from tests.adversary.invariants.core import Breach
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import Proof, Round, earlier, stands_before


def _posted(reading: Reading) -> Iterator[tuple[int, Proof, Round]]:
    for proof in reading.proofs.values():
        if proof.posted is not None:
            yield proof.posted[0], proof, reading.round_of(proof)


def _audited(reading: Reading) -> Iterator[tuple[int, Proof, Round]]:
    for proof in reading.proofs.values():
        if proof.posted is not None and any(panel.audited for _, panel in proof.panels):
            yield proof.posted[0], proof, reading.round_of(proof)


def ended_once(reading: Reading) -> Iterator[Breach]:
    """Nothing is posted twice, or after it was voided or left undecided."""
    for proof in reading.proofs.values():
        for index, end in proof.ends[1:]:
            if isinstance(end, Posted):
                yield index, f"{proof.name} is posted although it had an end already"


def pledge_honest(reading: Reading) -> Iterator[Breach]:
    """The pledge is open before the post, names nothing, and is what the node sealed."""
    for index, proof, _ in _posted(reading):
        pledges = list(earlier(proof.pledges, index))
        work = reading.history.work.get(proof.name)
        if not pledges:
            yield index, f"{proof.name} is posted before its pledge is open"
        elif any(pledge.fake is not None for pledge in pledges) or (work is not None and work.fake is not None):
            yield index, f"{proof.name} is posted although its pledge names a segment"


def gradient_held(reading: Reading) -> Iterator[Breach]:
    """What a closing entry lists was in the hands of k verifiers of the round, and nothing else is posted."""
    for index, proof, _ in _posted(reading):
        if not stands_before(proof.closed, index):
            yield index, f"{proof.name} is posted and stands in no closing entry"
    for proof in reading.proofs.values():
        for index, closed in proof.closed:
            round_ = reading.round((closed.run, closed.round))
            held = len(round_.holders(proof, index))
            if held < round_.k:
                yield index, f"{proof.name} is in the closing entry with the `Has` of {held} verifiers"


def start_of_the_round(reading: Reading) -> Iterator[Breach]:
    """A posted proof is bound to its round: weights, its node's own last moments, seed, configuration and profile."""
    for index, proof, round_ in _posted(reading):
        if not proof.committed or not round_.opened:
            continue
        committed, opened = proof.committed[0][1], round_.opened[0][1]
        listed = round_.listed(committed.node)
        if listed is None:
            yield index, f"{proof.name} is posted and its node is not listed in the round"
        elif (committed.theta, committed.inner) != (opened.theta, listed.inner):
            yield index, f"{proof.name} is posted and does not begin with the round's state"
        elif _asked(committed) != (opened.data_seed, opened.config, listed.profile, reading.history.segments):
            yield index, f"{proof.name} is posted and is not bound to what the round asks for"


def _asked(committed: Committed) -> tuple[str, str, str, int]:
    return committed.data_seed, committed.config, committed.profile, committed.segments


def coin_or_panel(reading: Reading) -> Iterator[Breach]:
    """Nothing is posted before the beacon spared it or drew its panel."""
    for index, proof, _ in _posted(reading):
        if not stands_before(proof.panels, index):
            yield index, f"{proof.name} is posted without a coin and a panel"


def seats_answered(reading: Reading) -> Iterator[Breach]:
    """At least k seats drew, and every other one was said to be late by k verifiers."""
    for index, proof, round_ in _audited(reading):
        seats = set(proof.seats(index))
        drew = seats & proof.draws(index).keys()
        if len(drew) < round_.k:
            yield index, f"{proof.name} is posted and only {len(drew)} seats drew"
        for seat in sorted(seats - drew):
            if not round_.lapsed_seat(proof, What.SECRET, seat, index):
                yield index, f"{proof.name} is posted while the draw of {seat} is awaited"


def readers_answered(reading: Reading) -> Iterator[Breach]:
    """Everybody who drew has a word on all that it drew, or was said to be late."""
    for index, proof, round_ in _audited(reading):
        for verifier, drawn in proof.draws(index).items():
            silent = [segment for segment in drawn if proof.word(verifier, segment, index) is None]
            if silent and not round_.lapsed_seat(proof, What.WORDS, verifier, index):
                yield index, f"{proof.name} is posted while {verifier} has said nothing on segment {silent[0]}"


def questioned_is_true(reading: Reading) -> Iterator[Breach]:
    """All that was ever drawn is cleared by everybody who drew it, or held true by the bench; a second word that
    comes after the panel has spoken is evidence, and nothing else."""
    for index, proof, round_ in _audited(reading):
        for verifier, drawn in proof.draws(index).items():
            late = round_.lapsed_seat(proof, What.WORDS, verifier, index)
            for segment in drawn:
                until = next((at for at, _ in proof.spoken), index)
                words = list(earlier(proof.words.get((verifier, segment), []), until))
                against = [word for word in words[1:] if word.word not in (Word.TRUE, Word.UNSERVED)]
                doubted = bool(against) or (words[0].word is not Word.TRUE if words else late)
                if doubted and not proof.held_true(segment, index):
                    yield (
                        index,
                        f"{proof.name} is posted and segment {segment}, which {verifier} did not clear, is open",
                    )


def _bad(work: Work, segments: tuple[int, ...]) -> str | None:
    for segment in segments:
        if segment in work.false:
            return f"segment {segment} is false"
        if segment not in work.shown:
            return f"no honest verifier had the bytes of segment {segment}"
    return None


def honest_draws_are_true(reading: Reading) -> Iterator[Breach]:
    """With fewer than k corrupt: what an honest seat drew is true and was shown."""
    if not reading.safe:
        return
    for index, proof, _ in _audited(reading):
        work = reading.history.work.get(proof.name)
        for verifier, drawn in proof.draws(index).items():
            if work is not None and verifier in reading.history.honest and (bad := _bad(work, drawn)):
                yield index, f"{proof.name} is posted, {verifier} drew, and {bad}"


def due_draws_are_true(reading: Reading) -> Iterator[Breach]:
    """Under the premise: so is what a present honest seat was due to draw, shown or not."""
    if not reading.premise:
        return
    for index, proof, _ in _audited(reading):
        work = reading.history.work.get(proof.name)
        due = (set(proof.seats(index)) & reading.history.present) - proof.draws(index).keys()
        for verifier in sorted(due):
            drawn = reading.history.draws.get((proof.name, verifier), ())
            if work is not None and (bad := _bad(work, drawn)):
                yield index, f"{proof.name} is posted, {verifier} was due to draw, and {bad}"


CONDITIONS = (
    ended_once,
    pledge_honest,
    gradient_held,
    start_of_the_round,
    coin_or_panel,
    seats_answered,
    readers_answered,
    questioned_is_true,
    honest_draws_are_true,
    due_draws_are_true,
)
