"""A few seeds of several strategies against the real service: the same entries, the same refusals, the same ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.protocol.judge.facts import Reason, Word
from contracts.protocol.judge.rules import epochs
from contracts.protocol.log import signed
from ledger.machine import bookkeeping, effects
from ledger.machine.replica import Replica
from tests.adversary.service import Different, Served, serve
from tests.adversary.service.twin import Twin

pytestmark = pytest.mark.integration


def _has(*kinds: str) -> Callable[[Served], bool]:
    return lambda served: set(kinds) <= set(served.kinds)


def _ended(*end: object) -> Callable[[Served], bool]:
    """A proof ended so."""
    return lambda served: any(found[: len(end)] == end for found in served.ends.proofs.values())


def _all_posted(served: Served) -> bool:
    return all(end[0] == "posted" for end in served.ends.proofs.values())


def _paid_after_a_lapse(served: Served) -> bool:
    """An epoch closed anew, and none carries anything over."""
    ended = served.ends.epochs
    return served.kinds["EpochClosed"] > len(ended) > 0 and set(ended.values()) == {(True, 0)}


def _paid_off(served: Served) -> bool:
    """Much was cut, and all of it is paid when the run is over."""
    left = [carried for _, carried in served.ends.epochs.values()]
    return max(left) >= 1_000 and left[-1] == 0 and served.ends.over == {"A"}


SEEDS: dict[str, tuple[int, Callable[[Served], bool]]] = {
    "late-secret": (4, _ended("void", Reason.NOT_FINITE, 0, "n0", True)),
    "silent-verifier": (4, _has("Lapsed", "SeatsFilled")),
    "late-seen": (1, _has("BeaconMissed", "Posted")),
    "honest": (45, lambda served: len(served.ends.over) == 2 and _all_posted(served)),
    "struck-epoch": (9, lambda served: served.kinds["EpochClosed"] > served.kinds["EpochEnded"] > 0),
    "lapsed-dispute": (8, _paid_after_a_lapse),
    "falling-limit": (9, lambda served: any(carried for _, carried in served.ends.epochs.values())),
    "seized-pay": (6, _paid_off),
    "double-proof": (4, _has("VerifierFault", "Overruled", "RoundMerged")),
    "last-vote": (1, _has("Credited", "DecisionTaken", "Left")),
    "lone-reader": (4, _ended("void", Reason.UNSERVED)),
    "false-pledge": (9, _ended("void", Reason.CANARY)),
    "drift": (3, _ended("undecided")),
    "half-commitment": (4, _has("Returned")),
    "too-many": (12, lambda served: any(not ours for ours, _ in served.ends.epochs.values())),
    "strangers": (2, lambda served: {"run-over", "not-asked", "unknown-subject"} <= set(served.refused)),
    "operator-repeats": (4, lambda served: served.known > 10),
}
"""Strategy → seed, and what it stands for here."""


@pytest.mark.parametrize("strategy", SEEDS)
def test_the_service_does_what_the_simulator_does(strategy: str, tmp_path: Path) -> None:
    seed, shows = SEEDS[strategy]
    served = serve(seed, strategy, tmp_path)
    assert shows(served)
    assert served.documents > 3


def _reversed(order: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: tuple(reversed(order(*args)))


def _to_one(left: Callable[..., Any]) -> Callable[..., Any]:
    """What an epoch leaves unpaid, as if one account had earned it."""
    return lambda *args: {min(found): sum(found.values())} if (found := left(*args)) else {}


Break = Callable[[pytest.MonkeyPatch], None]
BROKEN: dict[str, tuple[str, int, Break, str]] = {
    "a reason is read as another": (
        "late-secret",
        4,
        lambda patch: patch.setitem(signed.REASONS, 2, Reason.REPLAY),
        "SegmentDecided",
    ),
    "a word is read as another": (
        "operator-repeats",
        4,
        lambda patch: patch.setitem(signed.WORDS, 1, Word.UNSERVED),
        "the service gives",
    ),
    "the panel has another order": (
        "late-secret",
        4,
        lambda patch: patch.setattr(Twin, "panel_order", _reversed(Twin.panel_order)),
        "PanelDrawn",
    ),
    "nothing fits a seal": (
        "late-secret",
        4,
        lambda patch: patch.setattr(Twin, "seal_pledge", lambda *_: "0x"),
        "not-bound",
    ),
    "everything is a secret": (
        "grinder",
        2,
        lambda patch: patch.setattr(Twin, "check_secret", lambda *_: None),
        "the service takes it",
    ),
    "what is known is entered again": (
        "operator-repeats",
        4,
        lambda patch: patch.setattr(Replica, "_entered", lambda *_: {}),
        "AlreadySaid",
    ),
    "what was cut is another's": (
        "seized-pay",
        6,
        lambda patch: patch.setattr(epochs, "_left", _to_one(epochs._left)),
        "epoch 2 pays",
    ),
    "work is not booked": (
        "operator-repeats",
        4,
        lambda patch: patch.setattr(bookkeeping, "_BOOKED", {}),
        "the books say",
    ),
    "what a final root pays is not owed": (
        "operator-repeats",
        4,
        lambda patch: patch.setattr(effects, "_resolve", lambda *_: None),
        "the books say",
    ),
}
"""What is broken in the service: the strategy and the seed that show it, how it is broken, what is said then."""


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_service_is_seen(broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strategy, seed, breaks, says = BROKEN[broken]
    breaks(monkeypatch)
    with pytest.raises(Different, match=f"seed {seed}, {strategy}, entry .*{says}"):
        serve(seed, strategy, tmp_path)
