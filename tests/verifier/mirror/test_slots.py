"""Places of uploads: whoever sends slowly, or has many of them, makes room for the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from contracts.mirrors import arrival as arriving
from contracts.mirrors.arrival import Arrival, NoPlace, TooSlow
from contracts.mirrors.slots import FAIR_RATE, OF_DIGEST, Owner, Slots

pytestmark = pytest.mark.unit


class Sent(Arrival):
    """So many bytes came in ten seconds."""

    def __init__(self, count: int, age: float = 10.0) -> None:
        super().__init__(never)
        self.count, self._age = count, age
        self.is_over = False

    @property
    def age(self) -> float:
        return self._age

    def end(self) -> None:
        self.is_over = True


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


Enter = Callable[[str, str, int], Sent]


@pytest.fixture
def slots() -> Slots:
    return Slots(at_once=8, stakeless=4, of_key=3)


@pytest.fixture
def enter(slots: Slots) -> Iterator[Enter]:
    with ExitStack() as held:

        def one(digest: str, key: str, count: int) -> Sent:
            sent = Sent(count)
            held.enter_context(slots.place(digest, Owner(key, key.startswith("staked")), sent))
            return sent

        yield one


def test_of_one_digest_the_slowest_makes_room(slots: Slots, enter: Enter) -> None:
    fast, slow = enter("a", "node", 900), enter("a", "node", 10)
    for _ in range(5):
        enter("a", "node", 20)
    assert (fast.is_over, slow.is_over, len(slots)) == (False, True, OF_DIGEST)


def test_newcomers_that_send_nothing_end_no_fast_upload(slots: Slots) -> None:
    with ExitStack() as held:
        fast = Sent(FAIR_RATE * 100)
        young = [Sent(0, age=0.1) for _ in range(6)]
        for sent in (fast, *young):
            held.enter_context(slots.place("gradient", Owner("node"), sent))
        assert (fast.is_over, [sent.is_over for sent in young]) == (False, [True] * 5 + [False])


def test_a_newcomer_that_finds_no_place_has_ended_nobody(enter: Enter) -> None:
    own = enter("own", "node 0", FAIR_RATE * 100)
    others = [enter(f"d{n}", f"node {n}", FAIR_RATE * 100) for n in range(1, 4)]
    own_too = [enter(f"s{n}", "staked", FAIR_RATE * 100) for n in range(2)]
    with pytest.raises(NoPlace):
        enter("free", "node 5", 0)
    assert [one.is_over for one in (own, *others, *own_too)] == [False] * 6


def test_a_key_has_a_few_places(slots: Slots, enter: Enter) -> None:
    own = [enter(f"made up {number}", "free", number) for number in range(7)]
    assert [one.is_over for one in own] == [True] * 4 + [False] * 3
    assert len(slots) == 3


def test_keys_without_a_stake_have_a_part_and_share_it(slots: Slots, enter: Enter) -> None:
    """Others hold all that is for them: an honest one gets a place, and one with a stake has its own."""
    greedy = [enter(f"free {n}", "free", FAIR_RATE * 100) for n in range(3)]
    other = enter("other", "other", FAIR_RATE * 100)
    honest = enter("gradient", "honest", 0)
    assert (honest.is_over, other.is_over, sum(one.is_over for one in greedy), len(slots)) == (False, False, 1, 4)
    assert not enter("state", "staked", 0).is_over
    assert len(slots) == 5


def test_where_everybody_has_one_only_the_slow_make_room(enter: Enter) -> None:
    fast = [enter(f"d{n}", f"node {n}", FAIR_RATE * 100) for n in range(3)]
    slow = enter("d3", "node 3", 4096 * 10)
    enter("d4", "node 4", FAIR_RATE * 100)
    assert (slow.is_over, [one.is_over for one in fast]) == (True, [False] * 3)
    with pytest.raises(NoPlace):
        enter("d5", "node 5", 0)


def test_who_loses_its_place_is_told_while_it_waits() -> None:
    async def play() -> None:
        body = Arrival(never)
        waits = asyncio.create_task(body.next())
        await asyncio.sleep(0)
        body.end()
        with pytest.raises(NoPlace):
            await waits
        with pytest.raises(NoPlace):
            await body.next()

    asyncio.run(play())


def sends(*chunks: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        return {"body": left.pop(0)} if left else await never()

    return receive


@pytest.mark.parametrize("sent", [(), (b"x",)], ids=["nothing", "a byte"])
def test_what_does_not_come_is_ended(sent: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "BEGIN_SECONDS", 0.01)

    async def play() -> None:
        body = Arrival(sends(*sent), idle=0.01 if sent else 9.0)
        for _ in sent:
            await body.next()
        with pytest.raises(TooSlow, match="no byte"):
            await body.next()

    asyncio.run(play())


@pytest.mark.parametrize(("rate", "seconds"), [(10, None), (0, 60.0)], ids=["below the rate", "longer than it may"])
def test_what_hardly_comes_is_ended(rate: int, seconds: float | None) -> None:
    async def play() -> None:
        body = Arrival(sends(b"x", b"y"), rate, seconds=seconds)
        await body.next()
        body._begun -= 100.0
        with pytest.raises(TooSlow, match="took more than 60 seconds" if seconds else "less than 10 bytes"):
            await body.next()

    asyncio.run(play())
