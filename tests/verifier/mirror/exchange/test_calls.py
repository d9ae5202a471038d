"""Calls beside the looks: one at a time to each, and an answer says only how it was when it was asked for."""

from __future__ import annotations

import asyncio

import pytest

from verifier.mirror.exchange.calls import Calls

pytestmark = pytest.mark.unit


async def slow(go: asyncio.Event) -> str:
    await go.wait()
    return "said"


@pytest.mark.parametrize(("looks", "fresh"), [(0, "said"), (1, "said"), (2, None), (5, None)])
def test_an_answer_counts_at_its_look_and_at_the_next(looks: int, fresh: str | None) -> None:
    async def play() -> None:
        calls, go = Calls[str](), asyncio.Event()
        calls.next_look()
        assert calls.begin("one", lambda: slow(go))
        for _ in range(looks):
            calls.next_look()
            assert not calls.begin("one", lambda: slow(go)), "one at a time"
        await calls.wait(["one"], 0.0)
        assert calls.is_under_way("one")
        assert calls.fresh("one") is None
        go.set()
        await calls.wait(["one", "nobody"], 10.0)
        assert (calls.fresh("one"), calls.late("one")) == (fresh, "said")
        assert calls.begin("one", lambda: slow(go))

    asyncio.run(play())


def test_what_came_between_two_looks_counts_once() -> None:
    async def play() -> None:
        calls, go = Calls[str](), asyncio.Event()
        calls.next_look()
        calls.begin("one", lambda: slow(go))
        go.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        calls.next_look()
        assert calls.fresh("one") == "said"
        calls.next_look()
        assert calls.fresh("one") is None
        assert calls.late("one") is None

    asyncio.run(play())


def test_one_of_several_is_enough_where_that_is_asked_for() -> None:
    async def play() -> None:
        calls, go = Calls[str](), asyncio.Event()
        ready = asyncio.Event()
        ready.set()
        calls.next_look()
        calls.begin("slow", lambda: slow(go))
        calls.begin("quick", lambda: slow(ready))
        await calls.wait(["slow", "quick"], 10.0, for_one=True)
        assert calls.fresh("quick") == "said"
        assert calls.is_under_way("slow")
        go.set()
        await calls.wait(["slow"], 10.0)

    asyncio.run(play())
