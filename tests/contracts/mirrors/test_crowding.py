"""Too many connections: an address has a part of them, and those that hardly move make room."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from contracts.mirrors import crowding
from contracts.mirrors.crowding import leaving, network_of
from contracts.mirrors.slots import FAIR_RATE

pytestmark = pytest.mark.unit


@dataclass(eq=False)
class Stub:
    """A connection."""

    network: str
    waits: bool = True
    age: float = 5.0
    speed: float = 0.0


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "CONNECTIONS", 8)
    monkeypatch.setattr(crowding, "OF_NETWORK", 3)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("testclient", ""),
    ],
)
def test_an_address_counts_as_its_network(host: str, network: str) -> None:
    assert network_of(host) == network


def test_while_there_is_room_nobody_leaves() -> None:
    assert leaving(Stub("new"), [Stub("a"), Stub("a")]) is None


def test_one_network_has_a_part_of_all() -> None:
    slow, fast = Stub("a", speed=1.0), Stub("a", speed=2.0)
    assert leaving(Stub("a"), [fast, slow, Stub("a", waits=False)]) is slow
    new = Stub("a")
    assert leaving(new, [Stub("a", waits=False)] * 3) is new
    assert leaving(Stub("b"), [Stub("a", waits=False)] * 3) is None


def test_loopback_has_all() -> None:
    assert leaving(Stub(""), [Stub("")] * 7) is None


def test_of_a_full_house_those_leave_of_whom_there_are_most() -> None:
    friend, upload = Stub("friend", age=60.0), Stub("friend", speed=FAIR_RATE)
    crowd = [Stub(name, speed=9.0) for name in ("a", "a", "b", "b", "b", "c")]
    gone = leaving(Stub("new"), [friend, upload, *crowd])
    assert gone is not None
    assert gone.network == "b"


def test_who_is_worked_for_or_moves_stays() -> None:
    new, working = Stub("new"), [Stub("", waits=False)] * 4
    assert leaving(new, [*working, *[Stub("", speed=FAIR_RATE)] * 4]) is new
    idle = Stub("")
    assert leaving(new, [*working, *[Stub("", age=0.5)] * 3, idle]) is idle
