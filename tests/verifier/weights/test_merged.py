"""A server that shows rounds without end is not followed. Other lies are tried in tests/service/test_run.py."""

from __future__ import annotations

from typing import Any, cast

import pytest

from contracts.ids import RunId
from contracts.wire.rounds import Round
from contracts.wire.runs import Run
from tests.verifier.log.files import deployment
from tests.wire import Typed, sample
from trainer.client import ApiClient
from verifier.receipt.cosigned_log import VerifierQuorum
from verifier.weights.merged import LOOK_BACK, NothingMerged, merged_weights

pytestmark = pytest.mark.unit
RUN = RunId("0x" + "5a" * 32)


class Endless(Typed):
    """Its newest round is the millionth, and none of them is merged."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, path: str, **_: Any) -> Any:
        """A run, or a round of it."""
        self.asked.append(path)
        if "/rounds/" in path:
            return sample(Round) | {"merge": None, "run": RUN, "round": int(path.rpartition("/")[2])}
        return sample(Run) | {"round": 1_000_000}


def test_rounds_without_end_are_not_followed() -> None:
    client = Endless()
    with pytest.raises(NothingMerged, match="round 1000000 of"):
        merged_weights(cast(ApiClient, client), deployment(), VerifierQuorum((), 1), RUN, None, 0.0)
    assert client.asked == [f"/runs/{RUN}", *(f"/runs/{RUN}/rounds/{1_000_000 - n}" for n in range(LOOK_BACK))]
