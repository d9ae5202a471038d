"""What ended a proof, as a receipt shows it; whatever is somebody else's, or does not belong together, is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.protocol.judge.entries import (
    EpochClosed,
    FaultDerived,
    MergeSet,
    Posted,
    RoundClosed,
    Undecided,
    Voided,
)
from contracts.protocol.judge.facts import Committed, Credited, Enrolled, Reason
from contracts.protocol.log.leaf import Entry
from tests.contracts.protocol.log.signed_run import key
from verifier.receipt.errors import WorkDiffers
from verifier.receipt.work import Work

pytestmark = pytest.mark.unit

ACCOUNT, NODE, RUN, PROOF = key("account").address, key("node").address, "0xrun", "0xproof"
CLOSED = EpochClosed(1, 0, RUN, 1, 1, 10, 10, (), "0xroot", 2_000, 1_000)
ENROLLED = Enrolled(RUN, NODE, ACCOUNT, 1, "", 1)
COMMITTED = Committed(RUN, 1, NODE, PROOF, "", "", "", "", 1, "", "", "", "", 4, 512)
POSTED = Posted(PROOF, ACCOUNT, 512)
VOIDED = Voided(PROOF, Reason.REPLAY, 2)
CREDITED = Credited(RUN, "https://example.org\nabc", 1, ACCOUNT, 5, ("0x1", "0x2"))


def lines(*entries: Entry, closing: int = 50) -> list[str]:
    return Work(ACCOUNT, CLOSED).check(dict(enumerate(entries)) | {closing: CLOSED}, closing)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((POSTED,), "posted"),
        ((VOIDED,), "voided for replay-mismatch"),
        (
            (VOIDED, FaultDerived(PROOF, NODE, True, Reason.REPLAY, True)),
            "voided for replay-mismatch: at fault, which costs stake (replay-mismatch)",
        ),
        (
            (VOIDED, FaultDerived(PROOF, NODE, True, Reason.REPLAY, False)),
            "voided for replay-mismatch: at fault (replay-mismatch)",
        ),
        (
            (VOIDED, FaultDerived(PROOF, NODE, False, Reason.CANARY, False)),
            "voided for replay-mismatch: no fault (canary)",
        ),
        ((Undecided(PROOF),), "undecided"),
        ((Undecided(PROOF), POSTED), "posted"),
        ((RoundClosed(RUN, 1, ("0xother",), 5),), "out: k verifiers did not hold it when the round closed"),
        ((RoundClosed(RUN, 1, (PROOF,), 5),), "no end is shown"),
        ((), "no end is shown"),
    ],
)
def test_each_end_is_told(ends: tuple[Entry, ...], said: str) -> None:
    assert lines(ENROLLED, COMMITTED, *ends) == [f"work: 512 tokens of round 1, {said} ({PROOF})"]


def test_what_is_posted_behind_the_closing_is_the_next_epochs() -> None:
    assert lines(ENROLLED, COMMITTED, Undecided(PROOF), POSTED, closing=2 + 0) == [
        f"work: 512 tokens of round 1, posted, for the run's next epoch ({PROOF})"
    ]


def test_a_contribution_is_told() -> None:
    assert lines(CREDITED) == ["contribution: https://example.org abc, weight 5, vouched for by 2"]


@pytest.mark.parametrize(
    "entries",
    [
        (COMMITTED, POSTED),
        (replace(ENROLLED, payout=NODE), COMMITTED, POSTED),
        (ENROLLED, replace(COMMITTED, run="0xother")),
        (ENROLLED, POSTED),
        (ENROLLED, VOIDED),
        (ENROLLED, COMMITTED, replace(POSTED, account=NODE)),
        (ENROLLED, COMMITTED, replace(POSTED, tokens=513)),
        (ENROLLED, COMMITTED, POSTED, POSTED),
        (ENROLLED, COMMITTED, VOIDED, POSTED),
        (replace(CREDITED, account=NODE),),
        (replace(CREDITED, run="0xother"),),
        (MergeSet(RUN, 1, (), ()),),
    ],
)
def test_what_does_not_belong_together_is_refused(entries: tuple[Any, ...]) -> None:
    with pytest.raises(WorkDiffers):
        lines(*entries)
