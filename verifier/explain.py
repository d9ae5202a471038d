"""One proof checked again by anyone, line by line: which check, what was measured, against which limit, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from contracts.errors import CommonweightError
from trainer.corpus import Corpus
from verifier.bundle import Bundle
from verifier.checks import Case, check_binding, check_end, check_segment
from verifier.errors import CannotJudge, CheckFailed

SCALE = 10**18


@dataclass(frozen=True)
class Finding:
    """One check: `outcome` is stands, fails or undecided; error and limit are relative to what the segment did."""

    check: str
    outcome: str
    error: float
    limit: float
    detail: str


def explain(bundle: Bundle, corpus: Corpus) -> Iterator[Finding]:
    """Run every check that the opened boundaries allow; a failing one does not stop the others."""
    case = Case(bundle, bundle.view, bundle.round)
    yield _finding("1-2 binding and profile", lambda: check_binding(case))
    for segment in opened_segments({int(boundary) for boundary in bundle.view["openings"]}):
        yield _finding(f"3-4 segment {segment} replayed", lambda s=segment: check_segment(case, s, corpus))  # type: ignore[misc]
    yield _finding("5-6 end state and pseudo-gradient", lambda: check_end(case))


def opened_segments(opened: set[int]) -> list[int]:
    """Segments of which both ends are among the opened boundaries."""
    return sorted(b for b in opened if b + 1 in opened)


def outcome_of(findings: list[Finding]) -> str:
    """Accept only if every check stands; reject if one fails; undecided otherwise."""
    outcomes = {finding.outcome for finding in findings}
    if "fails" in outcomes:
        return "reject"
    return "accept" if outcomes == {"stands"} else "undecided"


def _finding(name: str, check: Callable[[], object]) -> Finding:
    try:
        check()
    except CheckFailed as failure:
        why = f"{failure.reason.slug}: {failure.detail}"
        return Finding(name, "fails", failure.measured / SCALE, failure.limit / SCALE, why)
    except CannotJudge as doubt:
        return Finding(name, "undecided", 0.0, 0.0, doubt.detail)
    except CommonweightError as error:
        return Finding(name, "undecided", 0.0, 0.0, f"{error.code}: {error.detail}")
    return Finding(name, "stands", 0.0, 0.0, "")
