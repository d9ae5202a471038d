"""What a replay says of what was decided: right, wrong, or not to be told here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.ids import ProofId, as_address
from contracts.protocol.judge.entries import FaultDerived, Posted, Undecided, Voided
from contracts.protocol.judge.facts import Reason
from verifier.proof.case import Case
from verifier.proof.replay import Heard, SegmentFinding, verdict

pytestmark = pytest.mark.unit

POSTED = Posted(ProofId("p"), as_address("a"), 1)


def voided(segment: int | None = 1, reason: Reason = Reason.REPLAY) -> Voided:
    return Voided(ProofId("p"), reason, segment)


def finding(segment: int, replay: str, right: bool | None = True, agrees: bool | None = None) -> SegmentFinding:
    return SegmentFinding(segment, replay, "", 0.0, 0.0, "", (Heard(as_address("v"), "true", "", right),), "", agrees)


def said(end: Any, *findings: SegmentFinding) -> bool | None:
    return verdict(cast(Case, SimpleNamespace(end=end)), list(findings))[0]


@pytest.mark.parametrize(
    ("end", "findings", "holds"),
    [
        (POSTED, [finding(0, "true"), finding(1, "true")], True),
        (voided(), [finding(0, "true"), finding(1, "false")], True),
        (voided(None, Reason.WITHHELD), [finding(0, "true")], True),
        (POSTED, [finding(0, "true"), finding(1, "false")], False),
        (voided(), [finding(0, "true"), finding(1, "true")], False),
        (voided(), [finding(1, "false", agrees=False)], False),
        (POSTED, [finding(0, "true", right=False)], False),
        (POSTED, [finding(0, "untold")], None),
        (voided(), [finding(1, "untold")], None),
        (POSTED, [], None),
        (None, [finding(0, "true")], None),
        (Undecided(ProofId("p")), [finding(0, "true")], True),
    ],
)
def test_what_was_decided_beside_the_replays(end: Any, findings: list[SegmentFinding], holds: bool | None) -> None:
    assert said(end, *findings) is holds


@pytest.mark.parametrize(
    ("end", "fault", "shown"),
    [
        (None, None, "pending"),
        (POSTED, None, "posted"),
        (Undecided(ProofId("p")), None, "undecided"),
        (voided(), None, "voided (replay-mismatch, segment 1)"),
        (
            voided(),
            FaultDerived(ProofId("p"), as_address("n"), True, Reason.REPLAY, True),
            "voided (replay-mismatch, segment 1, at fault)",
        ),
        (
            voided(None),
            FaultDerived(ProofId("p"), as_address("n"), False, Reason.CANARY, False),
            "voided (canary, no fault)",
        ),
    ],
)
def test_how_it_ended_is_said(end: Any, fault: FaultDerived | None, shown: str) -> None:
    none: Any = None
    assert Case(ProofId("p"), none, none, none, none, end=end, fault=fault).outcome == shown
