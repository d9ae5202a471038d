"""A bounded run is anchored in by machines that can judge one of its nodes' profiles, by the log's table."""

from __future__ import annotations

import pytest

from contracts.protocol.limits import METRICS, LimitTable, PairLimits, pair_key
from trainer.steps.determinism import configure_determinism
from trainer.steps.profile import NumericsProfile
from verifier.duties import anchor
from verifier.replica.errors import NotPrepared

pytestmark = pytest.mark.unit
NODES = b"\1" * 32


@pytest.fixture
def own() -> NumericsProfile:
    return configure_determinism("exact")


def table(one: bytes, other: bytes, cheat: str = "100") -> str:
    limit, honest = dict.fromkeys(METRICS, "0.1"), dict.fromkeys(METRICS, ("0.01", "0.01", "0.01"))
    return LimitTable((PairLimits(pair_key(one, other), 1, 2, honest, limit, {"skip": cheat}),)).to_json()


def test_a_calibrated_pair_is_enough(own: NumericsProfile) -> None:
    anchor._check_limits(table(own.digest(), NODES), own, [NODES])


def test_machines_that_compute_alike_need_no_pair(own: NumericsProfile) -> None:
    anchor._check_limits("[]", own, [own.digest()])


@pytest.mark.parametrize("cheat", ["100", "9"])
def test_without_a_pair_that_tells_cheats_from_work_it_says_why(own: NumericsProfile, cheat: str) -> None:
    """The pair of others helps nobody here, nor does one whose limits are as wide as a cheat."""
    other = b"\2" * 32 if cheat == "100" else own.digest()
    with pytest.raises(NotPrepared, match="no pair of this machine"):
        anchor._check_limits(table(other, NODES, cheat), own, [NODES])
