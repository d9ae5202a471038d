"""An account at the stand-in of Vast.ai, and launches there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from commonweight.market.errors import (
    ProviderError,
)
from commonweight.market.offers import Offer, Query
from commonweight.market.provider import Bootstrap
from commonweight.market.providers.vast import Vast
from tests.commonweight.market.stand_ins.stand_in import standing
from tests.commonweight.market.stand_ins.vast import VastStandIn

BOOT = Bootstrap("#!/bin/bash\necho hello\n", "docker.io/library/python:3.11", "ssh-ed25519 AAAAC3 me", (8443,))
ASKED = Query(disk_gb=100, traffic_gb=5)


@contextmanager
def serving() -> Iterator[VastStandIn]:
    """A Vast.ai with one offer."""
    server = VastStandIn()
    with standing(server):
        yield server


def quick_account(server: VastStandIn, patch: pytest.MonkeyPatch) -> Vast:
    """An account there; nothing waits."""
    patch.setattr(time, "sleep", lambda seconds: None)
    patch.setattr("commonweight.market.calling.calls._pause", lambda state: 0.0)
    return Vast(server.url, server.key, seconds=5.0)


def fixed(vast: Vast) -> Offer:
    """The offer at a fixed price."""
    return next(offer for offer in vast.offers(ASKED) if not offer.interruptible)


def bid(vast: Vast) -> Offer:
    """The offer to the highest bid."""
    return next(offer for offer in vast.offers(ASKED) if offer.interruptible)


def launch(vast: Vast, offer: Offer, boot: Bootstrap = BOOT) -> str:
    """A rental whose name was noted."""
    names: list[str] = []
    name = vast.launch(offer, boot, "cw-1", names.append)
    assert names == [name]
    return name


def refused(vast: Vast, offer: Offer, error: type[ProviderError]) -> ProviderError:
    """The launch's error, which must be of exactly this kind and note nothing."""
    with pytest.raises(ProviderError) as caught:
        vast.launch(offer, BOOT, "cw-1", lambda name: pytest.fail("noted"))
    assert type(caught.value) is error
    return caught.value
