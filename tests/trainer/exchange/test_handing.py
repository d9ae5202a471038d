"""A courier and its target: weather is waited out, a refusal is an answer, and who took something is left alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from contracts.errors import CommonweightError
from contracts.mirrors.peer import PeerMisbehaved, PeerUnreachable, Reply
from contracts.wire.answers import PROBLEM_TYPE
from trainer.exchange import handing
from trainer.exchange.handing import Courier, Parcel, ParcelRefusal
from trainer.exchange.keeping import Kept
from trainer.exchange.offers import offers, targets

pytestmark = pytest.mark.unit

TAKEN = Reply(200, b"{}")
NO = Reply(409, json.dumps({"code": "out-of-time", "detail": "too late"}).encode(), PROBLEM_TYPE)
WEATHER = [
    PeerUnreachable("no"),
    PeerMisbehaved("more than it may"),
    Reply(404, b"<html>"),
    Reply(200, b"<html>"),
    Reply(409, NO.body, "application/json"),
    Reply(409, b'{"co', PROBLEM_TYPE),
    Reply(429, b"slow down"),
    Reply(400, b"[]", PROBLEM_TYPE),
    Reply(400, b'{"code":5,"detail":"x"}', PROBLEM_TYPE),
]


class Target:
    """Answers in turn, the last one for ever, and remembers what came."""

    def __init__(self, answers: Iterable[Reply | CommonweightError]) -> None:
        self.answers = list(answers)
        self.came: list[bytes | tuple[str, bytes]] = []
        self.refusals: list[ParcelRefusal] = []

    def courier(self) -> Courier:
        return Courier("target", self.post, self.put, self.refusals.append)

    async def post(self, data: bytes) -> Reply:
        self.came.append(data)
        return self._next()

    async def put(self, digest: str, data: bytes, seconds: float) -> Reply:
        self.came.append((digest, data))
        return self._next()

    def _next(self) -> Reply:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, CommonweightError):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(handing, "LONGEST_WAIT", 0.004)


def deliver(target: Target, parcels: list[Parcel], seconds: float = 0.1) -> Courier:
    async def go() -> Courier:
        courier = target.courier()
        courier.offer(parcels)
        task = asyncio.create_task(courier.run())
        await asyncio.sleep(seconds)
        task.cancel()
        return courier

    return asyncio.run(go())


@pytest.mark.parametrize("storm", WEATHER, ids=str)
def test_weather_is_waited_out_and_told_to_nobody(storm: Reply | CommonweightError) -> None:
    target = Target([storm, storm, TAKEN])
    courier = deliver(target, [Parcel("a", "text")])
    assert target.came == [b"text"] * 3
    assert courier.has("a")
    assert not target.refusals


def test_a_refusal_is_told_and_tried_again() -> None:
    target = Target([NO, TAKEN])
    courier = deliver(target, [Parcel("a", "text")])
    assert target.refusals == [ParcelRefusal("target", "a", "out-of-time", "too late")]
    assert courier.has("a")


def test_what_was_taken_is_not_brought_again_at_once() -> None:
    target = Target([TAKEN])
    deliver(target, [Parcel("a", "one"), Parcel("b", "two")])
    assert target.came == [b"one", b"two"]


def test_what_was_taken_is_brought_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "MESSAGE_AGAIN", 0.005)
    target = Target([TAKEN])
    deliver(target, [Parcel("a", "one")])
    assert len(target.came) > 2


def test_what_is_not_offered_any_more_is_not_brought() -> None:
    target = Target([NO])

    async def go() -> None:
        courier = target.courier()
        courier.offer([Parcel("a", "one")])
        await courier.bring(Parcel("a", "one"))
        courier.offer([])
        task = asyncio.create_task(courier.run())
        await asyncio.sleep(0.05)
        task.cancel()

    asyncio.run(go())
    assert len(target.came) == 1


def test_a_blob_goes_out_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"bytes")
    target = Target([TAKEN])
    deliver(target, [Parcel("d" * 64, file=tmp_path / "blob"), Parcel("gone", file=tmp_path / "gone")])
    assert target.came == [("d" * 64, b"bytes")]


class Couriers:
    def __init__(self, names: list[str], failing: tuple[str, ...] = ()) -> None:
        self._names, self._failing = names, failing

    def names(self) -> list[str]:
        return self._names

    def courier(self, name: str) -> Courier | None:
        target = Target([NO])
        return deliver(target, [Parcel("d", "x")], 0.02) if name in self._failing else None


def test_a_blob_goes_to_the_server_and_k_mirrors_that_take_it() -> None:
    everybody = ["", "m1", "m2", "m3", "m4"]
    chosen = targets("d", Couriers(everybody), 2)
    assert chosen[0] == ""
    assert len(chosen) == 3
    more = targets("d", Couriers(everybody, (chosen[1],)), 2)
    assert len(more) == 4
    assert set(chosen) < set(more)


def test_messages_go_to_everybody_before_any_blob() -> None:
    kept = [(Kept("one", "text one", "a" * 64), True, True), (Kept("two", "text two", "b" * 64), False, True)]
    found = offers(kept, Couriers(["", "m1"]), Path, 2)
    assert [parcel.name for parcel in found["m1"]] == ["one", "a" * 64, "b" * 64]
    assert found[""][0].text == "text one"
