"""Words: every segment that is owed is replayed whole, and each gets one word (J8 to J11).

Bytes that do not come within half of a verifier's time are `unserved`; when they come later, the replay's word replaces
it. That time runs on the verifier's own clock, in looks that reached enough others to ask for the bytes. These looks
need not count: else an operator that answers one verifier nothing, or a corrupt verifier that shows it alone another
head, would keep it silent while all others speak. A replay that was given several times what others take, and did not
end, is `unserved` by then too: else nodes that open slow states would silence the verifier that drew most of them.

All words on a proof go at once. A word against a segment goes as soon as it is known, and all known words go once half
of the time is over, so that no slow segment keeps the others' words back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.ids import Address, ProofId, from_hex
from contracts.messages.for_log import SegmentVerdict, Verdict
from contracts.protocol.judge import facts
from contracts.protocol.judge.facts import What, Word
from contracts.protocol.judge.rules.duties import LookAgain, Read
from contracts.protocol.judge.rules.seats import about
from contracts.protocol.log.signed import WORDS
from verifier.duties.last_seen import absence_of
from verifier.duties.progress import VerifierProgress
from verifier.duties.world import World
from verifier.replay import asking
from verifier.replay.pace import Effort
from verifier.replay.question import ReplayRequest
from verifier.replay.replaying import JUDGE, UNSERVED, Said, Segment, computed_by

MOST_WORDS = 128
"""Words in one message: a leaf of the log holds twice as many, each as long as it may be."""
AGAINST = frozenset({Word.FALSE, Word.DRIFT})
"""Words that do not wait for the others."""
SHARE = 0.5
"""Part of a period after which missing bytes are unserved."""


@dataclass(frozen=True)
class Reading:
    """The words that are owed on one proof: its round and node, the replays, whether time is over."""

    proof: ProofId
    round: int
    node: Address
    exact: bool
    panel_at: int
    """The entry that drew its panel."""
    common: int
    asked: dict[int, Segment | None]
    overdue: bool
    """Whether the time for bytes is over."""
    late: bool
    """Whether known words go without the rest: when time is over, or when these words are no longer awaited."""
    time: float
    """Seconds for bytes to come, and for one replay."""
    last: int
    """The segment whose end depends on the round's weights."""


def read(world: World, duties: Iterable[Read]) -> None:
    """Say the words on all segments of a proof at once, when there is one for each or time is over; a word against a
    segment at once."""
    for duty in duties:
        reading = _reading(world, duty.proof, duty.segments)
        if reading is None or not reading.asked:
            continue
        words = [word for number in reading.asked if (word := _said(world, reading, number)) is not None]
        waits = len(words) < len(reading.asked) and not reading.late
        _say(world, reading, [word for word in words if not waits or WORDS[word.word] in AGAINST])


def look(world: World, duties: Iterable[LookAgain]) -> None:
    """Replace this verifier's `unserved` where the bytes came."""
    for duty in duties:
        reading = _reading(world, duty.proof, (duty.segment,))
        word = _replayed(world, reading, duty.segment) if reading is not None and reading.asked else None
        if reading is not None and word is not None and word.word != UNSERVED:
            _say(world, reading, [word])


def _reading(world: World, proof: ProofId, segments: Sequence[int]) -> Reading | None:
    with world.replica.reading() as state:
        proof_state = state.proofs.get(proof)
        log = world.replica.collected
        if proof_state is None:
            return None
        spoken = _spoken(world, proof, state.roots.get(proof_state.panel_at))
        run = state.runs[proof_state.commitment.run]
        commitment = proof_state.commitment
        awaited = about(proof_state, What.WORDS, world.address)
        since = proof_state.awaits[awaited].since if awaited in proof_state.awaits else None
        asked = {number: asking.segment(state, log, proof, number) for number in segments if number not in spoken}
        period = log.terms[commitment.run].periodSeconds * SHARE
    overdue = since is not None and world.stopwatch.asked(absence_of(state, awaited, since)) >= period
    return Reading(
        proof=proof,
        round=commitment.round,
        node=commitment.node,
        exact=run.created.terms.exact,
        panel_at=proof_state.panel_at,
        common=proof_state.common,
        asked=asked,
        overdue=overdue,
        late=overdue or since is None,
        time=period,
        last=commitment.segments - 1,
    )


def _spoken(world: World, proof: ProofId, root: str | None) -> set[int]:
    """Segments of this verifier's words on this log that the log lacks; an `unserved` among them may be replaced."""
    claims = [s.claim for s in world.voice.held() if isinstance(s.claim, facts.Words)]
    return {word.segment for claim in claims if (claim.proof, claim.root) == (proof, root) for word in claim.words}


def _said(world: World, reading: Reading, number: int) -> Said | None:
    """The word on a segment; None while a better word may still come."""
    replayed = _replayed(world, reading, number)
    segment = reading.asked[number]
    if replayed is not None or not reading.overdue:
        return replayed
    if segment is None or not _is_here(world, segment, reading.exact):
        return Said(number, UNSERVED, detail="its bytes did not come")
    if world.work.outlasted(_request(reading, number, segment)):
        return Said(number, UNSERVED, detail="no replay of it ended in time")
    return None


def _request(reading: Reading, number: int, segment: Segment) -> ReplayRequest[Segment, Said]:
    return ReplayRequest(JUDGE, reading.proof, f"segment {number}", segment)


def _is_here(world: World, segment: Segment, exact: bool) -> bool:
    return all(world.blobs.has(name) for name in _needs(segment, exact))


def _needs(segment: Segment, exact: bool) -> tuple[str, ...]:
    """The blobs that a replay needs. An exact comparison needs the end's digest alone, which the commitment has."""
    return (segment.start_blob,) if exact else (segment.start_blob, segment.end_blob)


def _replayed(world: World, reading: Reading, number: int) -> Said | None:
    segment = reading.asked.get(number)
    if segment is None:
        return None
    needs = _needs(segment, reading.exact)
    starts = (segment.theta_blobs,) if number == reading.last else ()
    effort = Effort(computed_by(segment.config, segment.profile).to_json(), reading.time)
    return world.work.ask(_request(reading, number, segment), needs, starts, effort)


def _say(world: World, reading: Reading, candidates: list[Said]) -> None:
    """Write each word down first: a word that contradicts an earlier one is not said."""
    root = world.root(reading.panel_at)
    if root is None:
        return
    words = [word for word in candidates if _may(world, reading, root, word)]
    for start in range(0, len(words), MOST_WORDS):
        _say_some(world, reading, root, words[start : start + MOST_WORDS])


def _say_some(world: World, reading: Reading, root: bytes, words: list[Said]) -> None:
    witness = _witness(world, reading, root, words)
    if witness is None:
        return
    proof = from_hex(reading.proof)
    message = Verdict(proof, world.address, root, witness, tuple(map(_word, words)))
    if world.voice.say(message):
        world.report(_progress(reading, words))


def _may(world: World, reading: Reading, root: bytes, word: Said) -> bool:
    """Whether memory allows a word. Words on two logs never count together, so each log has its own."""
    if world.memory.word(reading.proof, root, word.segment, WORDS[word.word]):
        return True
    earlier = world.memory.spoken(reading.proof, root, word.segment)
    detail = f"segment {word.segment}: {WORDS[word.word]} is not said after {earlier}"
    world.say("trouble", reading.round, reading.proof, detail)
    return False


def _witness(world: World, reading: Reading, root: bytes, words: list[Said]) -> bytes | None:
    """Seal the trace of the common segment; the trace is kept until it is asked for. None where the replay gave no
    trace: an empty one could never be shown."""
    sealed = [word for word in words if word.segment == reading.common and word.word != UNSERVED]
    if not reading.exact or not sealed:
        return b"\0" * 32
    trace = world.memory.once(trace_name(reading.proof, root), sealed[0].trace)
    if not trace:
        world.say("trouble", reading.round, reading.proof, f"segment {reading.common} was replayed without its trace")
        return None
    return from_hex(world.functions.seal_trace(world.address, trace))


def trace_name(proof: ProofId, root: bytes) -> str:
    """Name under which the trace of a proof's common segment is kept, one for each log."""
    return f"proof/{proof}/trace/{root.hex()}"


def _word(word: Said) -> SegmentVerdict:
    return SegmentVerdict(word.segment, word.word, word.reason, word.measured, word.limit)


def _progress(reading: Reading, words: list[Said]) -> VerifierProgress:
    worst = max(words, key=lambda word: (word.word != 1, word.measured))
    detail = ", ".join(f"{word.segment} {WORDS[word.word]}" for word in words) + f" {worst.detail}".rstrip()
    error = worst.measured / 1e18
    limit = worst.limit / 1e18
    return VerifierProgress("verdict", reading.round, reading.node, reading.proof, detail, len(words), error, limit)
