"""Places of uploads: whoever sends slowly, or has many of them, makes room for the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from contracts.mirrors import arrival as arriving
from contracts.mirrors.arrival import Arrival, NoPlace, TooSlow
from contracts.mirrors.slots import FAIR_RATE, Sender, Slots

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


Enter = Callable[[str, int], Sent]


@pytest.fixture
def slots() -> Slots:
    return Slots(at_once=8, stakeless=4, of_key=3)


@pytest.fixture
def enter(slots: Slots) -> Iterator[Enter]:
    with ExitStack() as held:

        def one(key: str, count: int) -> Sent:
            sent = Sent(count)
            held.enter_context(slots.place(Sender(key, key.startswith("staked")), sent))
            return sent

        yield one


def test_of_one_key_the_slowest_makes_room(slots: Slots, enter: Enter) -> None:
    fast, slow = enter("node", 900), enter("node", 10)
    for _ in range(5):
        enter("node", 20)
    assert (fast.is_over, slow.is_over, len(slots)) == (False, True, 3)


def test_newcomers_end_no_upload_while_there_is_room(slots: Slots) -> None:
    with ExitStack() as held:
        honest = Sent(0, age=0.1)
        held.enter_context(slots.place(Sender("staked node"), honest))
        others = [Sent(FAIR_RATE * 100) for _ in range(20)]
        for sent in others:
            held.enter_context(slots.place(Sender("staked other"), sent))
        assert (honest.is_over, sum(not sent.is_over for sent in others)) == (False, 3)


def test_a_young_upload_is_not_ended_for_another_key(slots: Slots) -> None:
    """Where all slots are taken."""
    with ExitStack() as held:
        young = [Sent(0, age=0.1) for _ in range(4)]
        for number, sent in enumerate(young):
            held.enter_context(slots.place(Sender(f"node {number}"), sent))
        with pytest.raises(NoPlace):
            held.enter_context(slots.place(Sender("node 4"), Sent(0, age=0.0)))
        assert not any(sent.is_over for sent in young)


def test_newcomers_that_send_nothing_end_no_fast_upload(slots: Slots) -> None:
    with ExitStack() as held:
        fast = Sent(FAIR_RATE * 100)
        young = [Sent(0, age=0.1) for _ in range(6)]
        for sent in (fast, *young):
            held.enter_context(slots.place(Sender("node"), sent))
        assert (fast.is_over, [sent.is_over for sent in young]) == (False, [True] * 4 + [False] * 2)


def test_a_newcomer_that_finds_no_place_has_ended_nobody(enter: Enter) -> None:
    own = enter("node 0", FAIR_RATE * 100)
    others = [enter(f"node {n}", FAIR_RATE * 100) for n in range(1, 4)]
    own_too = [enter("staked", FAIR_RATE * 100) for n in range(2)]
    with pytest.raises(NoPlace):
        enter("node 5", 0)
    assert [one.is_over for one in (own, *others, *own_too)] == [False] * 6


def test_a_key_has_a_few_places(slots: Slots, enter: Enter) -> None:
    own = [enter("free", number) for number in range(7)]
    assert [one.is_over for one in own] == [True] * 4 + [False] * 3
    assert len(slots) == 3


def test_keys_without_a_stake_have_a_part_and_share_it(slots: Slots, enter: Enter) -> None:
    """Others hold all that is for them: an honest one gets a place, and one with a stake has its own."""
    greedy = [enter("free", FAIR_RATE * 100) for n in range(3)]
    other = enter("other", FAIR_RATE * 100)
    honest = enter("honest", 0)
    assert (honest.is_over, other.is_over, sum(one.is_over for one in greedy), len(slots)) == (False, False, 1, 4)
    assert not enter("staked", 0).is_over
    assert len(slots) == 5


def test_where_everybody_has_one_only_the_slow_make_room(enter: Enter) -> None:
    fast = [enter(f"node {n}", FAIR_RATE * 100) for n in range(3)]
    slow = enter("node 3", 4096 * 10)
    enter("node 4", FAIR_RATE * 100)
    assert (slow.is_over, [one.is_over for one in fast]) == (True, [False] * 3)
    with pytest.raises(NoPlace):
        enter("node 5", 0)


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
