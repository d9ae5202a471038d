"""Server and mirrors that are right, and slow: no look waits for them, nothing piles up, and others' bytes come."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from contracts.mirrors.peer import Limits
from tests.holds import Threat, holds
from tests.verifier.mirror.exchange.test_handing_on import (
    DATA,
    NAME,
    NAMES,
    THREE,
    Party,
    Town,
    bring,
    fill,
    know,
    outcomes,
)
from tests.verifier.mirror.world import Operator, blob, has, serving
from tests.waiting import until
from verifier.mirror.exchange.handing_on import MirrorAnswer
from verifier.mirror.http.routes import mirror_app

pytestmark = pytest.mark.integration

SHORT = 1.0
"""Seconds that a look takes at most."""


class Slow:
    """In front of an application: requests whose path begins so are answered when `go` is set."""

    def __init__(self, app: ASGIApp, path: str = "/") -> None:
        self._app, self._path = app, path
        self.go, self.asked = threading.Event(), list[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(self._path):
            self.asked.append(scope["path"])
            while not self.go.is_set():
                await anyio.sleep(0.01)
        await self._app(scope, receive, send)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(tmp_path, stack, Limits(idle=30.0, call=30.0), seconds=SHORT)


def slow_mirror(town: Town, teller: Party, other: Party, path: str = "/") -> Slow:
    """Another's mirror from now on, as this one knows it."""
    slow = Slow(mirror_app(other.mirror), path)
    know(teller, other.name, serve(town, slow), 2)
    return slow


def serve(town: Town, slow: Slow) -> str:
    """Its url, until the end."""
    url = town.stack.enter_context(serving(slow))
    town.stack.callback(slow.go.set)
    return url


@holds(
    "No duty of a verifier waits for another party's answer",
    by="verifier/mirror/exchange/handing_on.py:HandingOn.look",
    against=Threat.FLOOD,
)
def test_a_slow_mirror_has_not_answered_and_is_asked_once(town: Town) -> None:
    """The look ends while it hangs; with enough others it counts. What it says in the end is still taken."""
    operator = Operator().grow(3)
    one, two, three = town.three(town.stack.enter_context(serving(operator.app())))
    fill(two.mirror, operator)
    slow = slow_mirror(town, one, three)
    three.mirror.messages.take(has(1))
    looks = [one.looks.look() for _ in range(4)]
    for look in looks:
        assert outcomes(look) == {NAMES[1]: MirrorAnswer.ANSWERED, NAMES[2]: MirrorAnswer.UNREACHABLE}
        assert look.counts(THREE, 2, chain=True)
    assert [path for path in slow.asked if path.endswith("/checkpoint")] == slow.asked[:1]
    assert one.mirror.messages.held() == ()
    slow.go.set()
    until(one.mirror.messages.held)
    until(lambda: outcomes(one.looks.look())[NAMES[2]] is MirrorAnswer.ANSWERED)


def test_bytes_of_a_size_not_announced_here_convict_nobody(town: Town) -> None:
    """Their author may have announced one name with two sizes, one at each mirror."""
    operator = Operator().grow(3)
    one, two, _ = town.three(town.stack.enter_context(serving(operator.app())))
    fill(two.mirror, operator)
    for party, size in ((two, len(DATA)), (one, 10)):
        party.mirror.blobs.announce(blob(DATA, size=size))
    with two.mirror.blobs.receive(NAME) as receiving:
        receiving.write(DATA)
        receiving.finish()
    for _ in range(3):
        assert outcomes(one.looks.look())[NAMES[1]] is MirrorAnswer.ANSWERED


def test_a_slow_server_delays_no_look_at_the_others(town: Town) -> None:
    operator, taken = Operator().grow(3), list[bytes]()
    slow = Slow(operator.app(taken))
    one, two, _ = town.three(serve(town, slow))
    two.mirror.messages.take(has(1))
    look = one.looks.look()
    assert look.log.outcome is MirrorAnswer.UNREACHABLE
    assert not look.counts(THREE, 2, chain=True), "without the log no time passes"
    until(lambda: "/messages" in slow.asked)
    one.looks.look()
    assert one.mirror.messages.held(), "pulled from the other while the server hangs"
    assert slow.asked.count("/log/checkpoint") == 1
    slow.go.set()
    until(lambda: has(1) in taken)
    until(lambda: one.looks.look().log.outcome is MirrorAnswer.ANSWERED)


def test_a_slow_contradiction_stands_until_its_mirror_changes_it(town: Town) -> None:
    """Otherwise looks would count in between."""
    operator = Operator().grow(3)
    one, _, three = town.three(town.stack.enter_context(serving(operator.app())))
    fill(one.mirror, operator)
    fill(three.mirror, Operator().grow(3, "another"))
    slow = slow_mirror(town, one, three, "/messages")
    one.looks.look()
    slow.go.set()
    until(lambda: outcomes(one.looks.look())[NAMES[2]] is MirrorAnswer.CONTRADICTS)
    slow.go.clear()
    for _ in range(3):
        look = one.looks.look()
        assert outcomes(look)[NAMES[2]] is MirrorAnswer.CONTRADICTS
        assert not look.counts(THREE, 2, chain=True)


def test_bytes_come_from_another_while_a_source_hangs(town: Town) -> None:
    """The server, asked first at times, and one mirror say nothing at all to whoever asks for bytes."""
    town.grace = 0.05
    server = Slow(Operator().app(), "/blobs")
    one, two, three = town.three(serve(town, server))
    for party in (one, two, three):
        party.mirror.blobs.announce(blob(DATA))
    for party in (two, three):
        bring(party)
    slow = slow_mirror(town, one, three, "/blobs")
    for _ in range(3):
        until(lambda: one.looks.look() and one.mirror.blobs.has(NAME))
        (town.folder / "0" / "blobs" / "held" / NAME).unlink()
    assert not slow.go.is_set()
    assert server.asked or slow.asked
