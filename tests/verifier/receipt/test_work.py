"""What ended a proof, as a receipt shows it; whatever is somebody else's, or does not belong together, is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.ids import ProofId, RunId
from contracts.protocol.judge.chain_events import Decided
from contracts.protocol.judge.entries import (
    DecisionTaken,
    EpochClosed,
    FaultDerived,
    MergeSet,
    Posted,
    RoundClosed,
    RoundOpened,
    Undecided,
    Voided,
)
from contracts.protocol.judge.facts import Block, Committed, Credited, Enrolled, Reason
from contracts.protocol.log.leaf import Entry
from contracts.protocol.run_config import RunConfig
from tests.contracts.protocol.log.signed_run import key
from verifier.receipt.errors import WorkDiffers
from verifier.receipt.work import ReceiptReader

pytestmark = pytest.mark.unit

ACCOUNT, NODE, RUN, PROOF = key("account").address, key("node").address, RunId("0xrun"), ProofId("0xproof")
CLOSED = EpochClosed(1, 0, RUN, 1, 1, 10, 10, (), "0xroot", 2_000, 1_000)
ENROLLED = Enrolled(RUN, NODE, ACCOUNT, 1, "", 1)
COMMITTED = Committed(RUN, 1, NODE, PROOF, "", "", "", "", 1, "", "", "", "", 4, 512)
POSTED = Posted(PROOF, ACCOUNT, 512)
VOIDED = Voided(PROOF, Reason.REPLAY, 2)
MIA, MO = sorted(key(name).address for name in ("mia", "mo"))
CREDITED = Credited(RUN, "https://example.org\nabc", 1, ACCOUNT, 5, (MIA, MO))


def lines(*entries: Entry, closing: int = 50) -> list[str]:
    return ReceiptReader(ACCOUNT, CLOSED).check(dict(enumerate(entries)) | {closing: CLOSED}, closing)


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
        ((RoundClosed(RUN, 1, (ProofId("0xother"),), 5),), "out: k verifiers did not hold it when the round closed"),
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


def opened(maintainers: str, run: RunId = RUN) -> RoundOpened:
    config = RunConfig(maintainers=maintainers).to_json()
    return RoundOpened(run, 1, "", "", config, "", 1, 2, (), ())


def voted(sequence: int, maintainers: str, taken: bool = True) -> tuple[Entry, ...]:
    events = (Decided(sequence, "maintainers", maintainers), Decided(sequence + 1, "inner_lr", "0.5"))
    return Block(5, 1_000, "0x" + "00" * 32, events), DecisionTaken(RUN, sequence, taken, "")


def test_a_contribution_is_told_with_who_vouched() -> None:
    two = f"2:{MIA},{MO}"
    (line,) = lines(opened(two), CREDITED)
    assert line.startswith("contribution: https://example.org abc, weight 5, vouched for by ")
    assert line.endswith(f"{MIA}, {MO}: maintainers by entry 0, of whom it takes 2")
    assert lines(opened(f"1:{MIA}"), *voted(3, two), CREDITED)[0].endswith("maintainers by entry 2, of whom it takes 2")


def test_a_receipt_without_a_configuration_says_so() -> None:
    work = ReceiptReader(ACCOUNT, CLOSED)
    work.check({0: CREDITED, 50: CLOSED}, 50)
    (said,) = work.unchecked
    assert "shows no configuration that names the run's maintainers" in said


@pytest.mark.parametrize(
    "entries",
    [
        (opened(""), CREDITED),
        (opened(f"1:{MIA}"), CREDITED),
        (opened(f"2:{MIA},{MO}"), replace(CREDITED, signers=(MIA,))),
        (opened(f"2:{MIA},{MO}"), *voted(3, f"1:{MO}"), CREDITED),
        (opened(f"1:{MIA}"), *voted(3, f"2:{MIA},{MO}", taken=False), CREDITED),
        (opened(f"2:{MIA},{MO}", run=RunId("0xother")), CREDITED),
        (opened(f"1:{MIA}"), voted(3, f"2:{MIA},{MO}")[1], CREDITED),
        (opened(f"1:{MIA}"), *voted(3, "nonsense"), CREDITED),
    ],
    ids=["nobody", "a-stranger", "too-few", "voted-out", "not-taken", "another-run", "unseen-vote", "no-quorum"],
)
def test_who_is_no_maintainer_vouches_for_nothing(entries: tuple[Entry, ...]) -> None:
    with pytest.raises(WorkDiffers):
        lines(*entries)


@pytest.mark.parametrize(
    "entries",
    [
        (COMMITTED, POSTED),
        (replace(ENROLLED, payout=NODE), COMMITTED, POSTED),
        (ENROLLED, replace(COMMITTED, run=RunId("0xother"))),
        (ENROLLED, POSTED),
        (ENROLLED, VOIDED),
        (ENROLLED, COMMITTED, replace(POSTED, account=NODE)),
        (ENROLLED, COMMITTED, replace(POSTED, tokens=513)),
        (ENROLLED, COMMITTED, POSTED, POSTED),
        (ENROLLED, COMMITTED, VOIDED, POSTED),
        (replace(CREDITED, account=NODE),),
        (replace(CREDITED, run=RunId("0xother")),),
        (MergeSet(RUN, 1, (), ()),),
    ],
)
def test_what_does_not_belong_together_is_refused(entries: tuple[Any, ...]) -> None:
    with pytest.raises(WorkDiffers):
        lines(*entries)
