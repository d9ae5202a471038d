"""SIGKILL at every write and call of a launch and of an end, at every provider: nothing unowned, nothing twice."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commonweight.market.calling.calls import Calls
from commonweight.market.money import MicroUsd
from commonweight.market.offers import Offer, OfferKind, Query
from commonweight.market.provider import Bootstrap, Provider
from commonweight.market.providers.akash import Akash
from commonweight.market.providers.dstack import Dstack
from commonweight.market.providers.ionet import IoNet
from commonweight.market.providers.lambda_cloud import LambdaCloud
from commonweight.market.providers.vast import Vast
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.launching import launch
from commonweight.market.renting.reconciling import ORPHAN_SECONDS, reconcile
from commonweight.market.renting.rental import DONE
from tests.commonweight.market.stand_ins.akash import AkashStandIn, Bidder, model
from tests.commonweight.market.stand_ins.dstack import KEY, PROJECT, DstackStandIn
from tests.commonweight.market.stand_ins.ionet import IoNetStandIn, hardware
from tests.commonweight.market.stand_ins.lambda_cloud import LambdaStandIn
from tests.commonweight.market.stand_ins.stand_in import Fault, standing
from tests.commonweight.market.stand_ins.vast import VastStandIn
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration
BOOT = Bootstrap("#!/bin/sh\nsleep 1", "ubuntu:24.04", "ssh-ed25519 AAAAC3 me")
MOST_POINTS = 40
"""More than any launch or end has."""


@dataclass(frozen=True)
class Case:
    """A provider: its stand-in, an account there, and the call of its launch that has an effect."""

    server: Callable[[], Any]
    account: Callable[[Any], Provider]
    effect: tuple[str, str]


def _akash() -> AkashStandIn:
    return AkashStandIn(models=[model("h100", 2.5)], bidders=[Bidder("akash1p", "3500")])


CASES = {
    "vast": Case(VastStandIn, lambda s: Vast(s.url, s.key, seconds=5.0), ("PUT", "/api/v0/asks/")),
    "lambda": Case(
        LambdaStandIn,
        lambda s: LambdaCloud(s.url, s.key, seconds=5.0, paced=False),
        ("POST", "/api/v1/instance-operations/launch"),
    ),
    "akash": Case(
        _akash,
        lambda s: Akash(s.url, s.key, seconds=5, bid_seconds=0.2, poll_seconds=0.01),
        ("POST", "/v1/deployments"),
    ),
    "ionet": Case(
        lambda: IoNetStandIn(hardware=[hardware("H100_sxm5", "H100 SXM5 80GB", 2.5)]),
        lambda s: IoNet(s.url, s.key, seconds=5),
        ("POST", "/enterprise/v1/io-cloud/caas/deploy"),
    ),
    "dstack": Case(
        DstackStandIn,
        lambda s: Dstack(s.url, KEY, PROJECT, seconds=5.0),
        ("POST", f"/api/project/{PROJECT}/runs/apply"),
    ),
}


class Desk:
    """A renter at one provider: processes come and go, the journal and the provider stay."""

    def __init__(self, folder: Path, name: str, stack: ExitStack) -> None:
        self.case, self.folder = CASES[name], folder
        self.server: Any = stack.enter_context(standing(self.case.server()))
        self.offset = 0
        journal = self.journal()
        journal.fleet_begins(Fleet("f", MicroUsd(10**9), journal.clock() + 10**6))
        journal.close()
        self.offer = self._offer()

    def journal(self) -> Journal:
        """As a new process opens it."""
        return Journal(self.folder / "journal.db", lambda: int(time.time()) + self.offset)

    def launch(self) -> None:
        """In this process."""
        journal = self.journal()
        launch(journal, self.case.account(self.server), self.offer, "f", lambda _: BOOT)
        journal.close()

    def end(self) -> None:
        """The fleet is over, in this process."""
        journal = self.journal()
        journal.fleet_ends("f")
        reconcile(journal, [self.case.account(self.server)])
        journal.close()

    def settle(self) -> None:
        """Hours pass, and other processes look."""
        for seconds in (1, ORPHAN_SECONDS, 700, 700):
            self.offset += seconds
            journal = self.journal()
            reconcile(journal, [self.case.account(self.server)])
            journal.close()

    def check(self) -> None:
        """At most one machine was rented, and none is billed."""
        assert self.server.launches <= 1
        assert dict(self.server.rented) == {}
        assert all(rental.standing in DONE for rental in self.journal().rentals())

    def _offer(self) -> Offer:
        found = self.case.account(self.server).offers(Query(kinds=frozenset(OfferKind), interruptible=False))
        return min(found, key=lambda one: one.gpus)


def killed(nth: int, work: Callable[[], None]) -> bool:
    """Work in a process that is killed at its `nth` point: before or after a write, or a call; whether it was."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # no other thread of this process holds a lock that is used
        child = os.fork()
    if child == 0:
        try:
            _put_points(nth)
            work()
        except BaseException:  # the child must not go on as a second pytest
            os._exit(2)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work failed before it was killed"
    return os.WIFSIGNALED(status)


def _put_points(nth: int) -> None:
    left = [nth]

    def reach() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(inner: Callable[..., Any]) -> Callable[..., Any]:
        def both(*given: Any, **named: Any) -> Any:
            reach()
            found = inner(*given, **named)
            reach()
            return found

        return both

    Journal.note = around(Journal.note)  # type: ignore[method-assign]
    Calls.send = around(Calls.send)  # type: ignore[method-assign]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@holds(
    "No launch is sent twice, and no rented machine runs that nobody owns, wherever a process is killed",
    by="commonweight/market/renting/launching.py:launch",
    against=Threat.CRASH,
    also="tests/commonweight/market/renting/test_crashes.py:test_a_killed_launch_leaves_nothing_unowned",
)
@pytest.mark.parametrize("name", CASES)
def test_a_launch_killed_anywhere_leaves_nothing(tmp_path: Path, name: str, stack: ExitStack) -> None:
    for nth in range(1, MOST_POINTS):
        (tmp_path / str(nth)).mkdir()
        desk = Desk(tmp_path / str(nth), name, stack)
        if not killed(nth, desk.launch):
            assert nth > 6, "a launch has more points"
            return
        desk.settle()
        desk.check()
    pytest.fail("there are more points than were tried")


@pytest.mark.parametrize("name", CASES)
def test_an_end_killed_anywhere_is_carried_out(tmp_path: Path, name: str, stack: ExitStack) -> None:
    for nth in range(1, MOST_POINTS):
        (tmp_path / str(nth)).mkdir()
        desk = Desk(tmp_path / str(nth), name, stack)
        desk.launch()
        if not killed(nth, desk.end):
            assert nth > 3, "an end has more points"
            return
        desk.settle()
        desk.check()
    pytest.fail("there are more points than were tried")


@pytest.mark.parametrize("fault", [Fault.AFTER_CUT, Fault.AFTER_HALF, Fault.AFTER_UNAVAILABLE])
@pytest.mark.parametrize("name", CASES)
def test_a_launch_without_an_answer_is_owned(tmp_path: Path, name: str, fault: Fault, stack: ExitStack) -> None:
    """Its machine is found in the list, belongs to the fleet, and ends with it."""
    desk = Desk(tmp_path, name, stack)
    desk.server.fail(*desk.case.effect, fault)
    desk.launch()
    assert desk.server.launches == 1
    desk.settle()
    desk.check()
