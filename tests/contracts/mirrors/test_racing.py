"""Several that may have bytes: whoever is slow, or lies fast, keeps nobody from getting them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from contracts.mirrors.racing import Attempt, SourcePace, first

pytestmark = pytest.mark.unit

GRACE = 0.02


class Sources:
    """Ways to answer, and who was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def source(self, name: str, does: Callable[[SourcePace], object]) -> Attempt:
        async def ask(pace: SourcePace) -> bool:
            self.asked.append(name)
            pace.start()
            found = does(pace)
            return bool(await found if asyncio.iscoroutine(found) else found)

        return ask


async def hangs(pace: SourcePace) -> bool:
    await asyncio.Event().wait()
    return True


async def drips(pace: SourcePace) -> bool:
    while True:
        pace.add(1)
        await asyncio.sleep(GRACE / 4)


def run(*attempts: Attempt, rate: float = 1000.0) -> bool:
    return asyncio.run(first(attempts, GRACE, rate))


def test_whoever_hangs_or_drips_is_left_for_one_that_has_all() -> None:
    sources = Sources()
    slow = [sources.source("hangs", hangs), sources.source("drips", drips)]
    assert run(*slow, sources.source("has", lambda pace: True))
    assert sources.asked == ["hangs", "drips", "has"]


def test_nobody_is_asked_beside_one_that_answers_at_once() -> None:
    sources = Sources()
    assert run(sources.source("has", lambda pace: True), sources.source("other", lambda pace: True))
    assert sources.asked == ["has"]


def test_it_ends_where_all_fail_or_bring_less_than_they_must() -> None:
    sources = Sources()
    assert not run()
    assert not run(sources.source("fails", lambda pace: False), sources.source("drips", drips), rate=10**6)
    assert sources.asked == ["fails", "drips"]


def test_who_was_left_for_a_faster_liar_is_asked_again() -> None:
    """The liar brings other bytes quickly, until the one that is right was left; then it shows."""
    sources = Sources()
    left = asyncio.Event()

    async def right(pace: SourcePace) -> bool:
        if sources.asked.count("right") > 1:
            return True
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return False

    async def lies(pace: SourcePace) -> bool:
        while not left.is_set():
            pace.add(10**6)
            await asyncio.sleep(0)
        return False

    assert run(sources.source("right", right), sources.source("lies", lies))
    assert sources.asked == ["right", "lies", "right"]


def test_who_has_brought_all_is_not_left_while_it_is_looked_at() -> None:
    sources = Sources()

    async def checked(pace: SourcePace) -> bool:
        pace.whole = True
        await asyncio.sleep(6 * GRACE)
        return True

    assert run(sources.source("checked", checked), sources.source("drips", drips))
    assert sources.asked == ["checked", "drips"]


def test_a_burst_buys_no_time_for_a_stall() -> None:
    """It wins the first looks, and then brings next to nothing: the one that it beat has all in the end."""
    sources = Sources()

    async def bursts(pace: SourcePace) -> bool:
        for _ in range(8):
            pace.add(10**9)
            await asyncio.sleep(GRACE / 2)
        return await drips(pace)

    async def steady(pace: SourcePace) -> bool:
        for _ in range(40):
            pace.add(10**5)
            await asyncio.sleep(GRACE / 4)
        return True

    async def play() -> bool:
        async with asyncio.timeout(200 * GRACE):
            return await first((sources.source("bursts", bursts), sources.source("steady", steady)), GRACE, 10**4)

    assert asyncio.run(play())
    assert sources.asked == ["bursts", "steady", "steady"]
