"""Every segment of a proof whose ends are open, replayed; each word and decision beside the replay's result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.errors import CommonweightError
from contracts.ids import Address, to_hex
from contracts.protocol.judge.entries import Posted, Voided
from contracts.protocol.judge.facts import FALSE_REASONS, Reason, SegmentWord, Word, Words
from contracts.protocol.judge.functions import Functions
from contracts.protocol.log.signed import REASONS
from contracts.protocol.run_config import RunConfig
from trainer.data.corpora import Corpora
from verifier.proof.case import Case
from verifier.replay.files import Files
from verifier.replay.replaying import FALSE, TRUE, Said, Segment, judge_segment
from verifier.replay.sizes import weights_size

NO_FAKE = frozenset(Reason) - FALSE_REASONS
"""Reasons of a void that no replay can confirm or deny."""


@dataclass(frozen=True)
class Heard:
    """A verifier's word on a segment: `right` says whether the replay gives the same, None where it cannot tell."""

    verifier: Address
    word: str
    reason: str
    right: bool | None
    trace: bool | None = None
    """Whether the trace that it showed of the common segment is the replay's; None where it showed none."""


@dataclass(frozen=True)
class SegmentFinding:
    """A segment: `replay` is true, false or untold; errors and limits are relative to the segment's own change."""

    segment: int
    replay: str
    reason: str
    error: float
    limit: float
    detail: str
    words: tuple[Heard, ...]
    decided: str
    agrees: bool | None
    """Whether the full bench decided as the replay does; None where it did not decide, or the replay cannot tell."""


def replays(case: Case, functions: Functions, files: Files, corpora: Corpora) -> Iterator[SegmentFinding]:
    """One finding for each segment that can be replayed, in order."""
    for number in sorted(case.openings):
        segment = _segment(case, functions, number)
        if segment is not None:
            yield _finding(case, number, *_judged(segment, files, corpora))


def verdict(case: Case, findings: list[SegmentFinding]) -> tuple[bool | None, str]:
    """Whether the decisions agree with the replays, and the reason; None where the replays cannot tell."""
    wrong = [f"{heard.verifier} on segment {f.segment}" for f in findings for heard in f.words if heard.right is False]
    false = [finding.segment for finding in findings if finding.replay == "false"]
    untold = [finding.segment for finding in findings if finding.replay == "untold"]
    if any(finding.agrees is False for finding in findings):
        return False, "the bench decided otherwise than the replay"
    if isinstance(case.end, Posted) and false:
        return False, f"posted, and segment {false[0]} replays to another state"
    if (
        isinstance(case.end, Voided)
        and str(case.end.reason) not in NO_FAKE
        and case.end.segment not in (*false, *untold)
    ):
        return False, f"voided for segment {case.end.segment}, which replays as committed"
    if wrong:
        return False, f"a word is wrong: {', '.join(wrong)}"
    if untold or not findings or case.end is None:
        return None, "not everything could be replayed" if untold else "nothing is open, or nothing decided yet"
    return True, "what was said and decided is what the replays give"


def _segment(case: Case, functions: Functions, number: int) -> Segment | None:
    """The segment for a replay, None where an end is not open; the commitment itself has the last segment's end."""
    start = case.openings[number]
    end = case.openings.get(number + 1)
    message = case.message
    last = number + 1 == case.commitment.segments
    if number >= case.commitment.segments or (end is None and not last):
        return None
    panel = case.panel
    common = functions.common_segment(panel.beacon, case.proof, case.commitment.segments) if panel else -1
    return Segment(
        config=case.round.config,
        round=case.round.round,
        node=message.node,
        nodes=tuple(listed.node for listed in case.round.nodes),
        profile=to_hex(message.profile),
        data_seed=to_hex(message.dataSeed),
        segment=number,
        start=start.entry,
        start_blob=start.blob,
        end=end.entry if end is not None else to_hex(message.endState + message.innerEnd),
        end_blob=end.blob if end is not None else "",
        theta=case.round.theta,
        theta_blobs=case.theta_blobs,
        common=number == common,
        limits=case.created.limits,
    )


def _judged(segment: Segment, files: Files, corpora: Corpora) -> tuple[Said | None, str]:
    try:
        result = judge_segment(segment, files, corpora.of(RunConfig.from_json(segment.config)))
    except CommonweightError as error:
        return None, f"{error.code}: {error.detail}"
    return result, result.detail


def _finding(case: Case, number: int, result: Said | None, detail: str) -> SegmentFinding:
    decided = case.decided.get(number)
    replay = "untold" if result is None else {TRUE: "true", FALSE: "false"}.get(result.word, "untold")
    agrees = None if decided is None or replay == "untold" else decided.true == (replay == "true")
    return SegmentFinding(
        number,
        replay,
        str(REASONS[result.reason]) if result is not None and result.reason else "",
        result.measured / 1e18 if result is not None else 0.0,
        result.limit / 1e18 if result is not None else 0.0,
        detail,
        tuple(_heard(case, result, replay, words.verifier, word) for words, word in _words(case, number)),
        "" if decided is None else "true" if decided.true else f"false ({decided.reason})",
        agrees,
    )


def _words(case: Case, number: int) -> list[tuple[Words, SegmentWord]]:
    return [(words, word) for words in case.words for word in words.words if word.segment == number]


def _heard(case: Case, result: Said | None, replay: str, verifier: Address, word: SegmentWord) -> Heard:
    tells = replay != "untold" and word.word in (Word.TRUE, Word.FALSE)
    right = (word.word is Word.TRUE) == (replay == "true") if tells else None
    shown_trace = case.traces.get(verifier) if result is not None and result.trace else None
    trace = None if shown_trace is None or result is None else shown_trace == result.trace
    return Heard(verifier, str(word.word), str(word.reason or ""), right, trace)


def needed(case: Case) -> dict[str, int]:
    """Files that replays of the case read, with their bytes at most."""
    sizes = {opening.blob: opening.size for opening in case.openings.values()}
    return sizes | dict.fromkeys(case.theta_blobs, weights_size(case.round.config))
