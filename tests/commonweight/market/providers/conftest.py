"""Vast.ai's stand-in and an account there, for all of its tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from commonweight.market.providers.vast import Vast
from tests.commonweight.market.providers.vast_account import quick_account, serving
from tests.commonweight.market.stand_ins.vast import VastStandIn


@pytest.fixture
def stand_in() -> Iterator[VastStandIn]:
    """The server."""
    with serving() as server:
        yield server


@pytest.fixture
def vast(stand_in: VastStandIn, monkeypatch: pytest.MonkeyPatch) -> Vast:
    """The account."""
    return quick_account(stand_in, monkeypatch)
