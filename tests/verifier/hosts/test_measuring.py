"""A verifier against hosts that lie: each lie is told by its name, and nothing is reported then."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from contracts.hosts.errors import BadHostMessage
from contracts.hosts.signed import require_report
from contracts.hosts.standard import standard_in
from contracts.ids import as_address, to_hex
from tests.contracts.hosts.offered import MODEL, NAMES, NOW, OTHER, SUPPLIER, URL, VERIFIERS, challenge, offer, report
from tests.holds import Threat, holds
from tests.verifier.hosts.served import TINY, Served, answering, made, served
from trainer.steps import standard_segment
from trainer.steps.trajectory import run_inner
from verifier.hosts import walking
from verifier.hosts.challenged import CHALLENGE_SECONDS, MOST_STEPS, MOST_WALKS, PAUSE_SHARE, Challenges
from verifier.hosts.errors import ChallengeRefused, HostAway, HostBusy, HostFailed
from verifier.hosts.measuring import Extent, Measuring
from verifier.hosts.serving import host_app

pytestmark = pytest.mark.integration
SMALL = Extent(traffic=2**16, memory=2**20, steps=8, seconds=5.0)


def measuring(verifier: Any = VERIFIERS[0], **changes: Any) -> Measuring:
    """A verifier of small measurements."""
    given: dict[str, Any] = {"loopback": True, "extent": SMALL, "standard": TINY, "now": lambda: NOW}
    return Measuring(MODEL, bytes(verifier.key), as_address(verifier.address), **(given | changes))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as one:
        yield one


def test_an_honest_host_is_measured_and_shows_the_report(host: Served) -> None:
    one = measuring().measure(host.url, as_address(SUPPLIER.address))
    found = require_report(one, MODEL, NAMES, NOW, host.host.offer().message)
    assert found.memory == 2**20
    assert min(found.tokens, found.received, found.sent) > 0
    exact = standard_in("exact", TINY)
    assert (found.standard, found.profile) == (exact.digest(), standard_segment.profile_digest(exact))
    measuring().bring(one)
    assert [held.message for held in host.host.reports()] == [found]
    assert not host.challenges.is_open


def test_another_machine_is_compared_in_the_portable_profile(host: Served) -> None:
    """Its exact bits are of its own kind, so it says, and nobody here could compare them."""
    host.host.profiles = {"exact": to_hex(b"other bits".ljust(32))}
    found = measuring().measure(host.url).message
    portable = standard_in("portable", TINY)
    assert (found.standard, found.profile) == (portable.digest(), standard_segment.profile_digest(portable))


def test_a_host_of_another_supplier_is_not_measured_for_this_one(host: Served) -> None:
    """Somebody who offers another's address has nothing measured there."""
    with pytest.raises(HostFailed, match="answers there"):
        measuring().measure(host.url, as_address(OTHER.address))


# -- lies --------------------------------------------------------------------------------------------------------------


def _entries(one: Any, seed: bytes) -> list[str]:
    found = standard_segment.compute(one.config, seed).boundary_entries
    return [to_hex(entry) for entry in found]


class Precomputed(Challenges):
    """Answers of another seed, computed before."""

    def segment(self, name: str) -> dict[str, object]:
        return {"entries": _entries(self._named(name), b"another seed".ljust(32))}


class Skipping(Challenges):
    """The start is right, and the steps are not done."""

    def segment(self, name: str) -> dict[str, object]:
        first = _entries(self._named(name), self._named(name).message.seed)[0]
        return {"entries": [first] * (TINY.segments + 1)}


class OtherBatches(Challenges):
    """It begins as it should: only who computes the same tells that the steps are others."""

    def segment(self, name: str) -> dict[str, object]:
        one = self._named(name)
        start = standard_segment.start_of(one.config, one.message.seed)
        batches = standard_segment.batches_of(one.config, b"kinder text".ljust(32))
        return {"entries": [to_hex(entry) for entry in run_inner(one.config, start, batches).boundary_entries]}


class Lucky(Challenges):
    """It leaves the last step out, and is fast: whoever compares a part of them would miss that now and then, and a
    host that fails may be measured again in an hour."""

    def segment(self, name: str) -> dict[str, object]:
        entries = _entries(self._named(name), self._named(name).message.seed)
        return {"entries": [*entries[:-1], to_hex(b"x" * 64)]}


class OtherDigest(Challenges):
    """It did not read what it was sent."""

    def take(self, name: str, data: bytes) -> dict[str, object]:
        super().take(name, data)
        return {"digest": "00" * 32}


class OtherBytes(Challenges):
    """It sends other bytes back."""

    def give(self, name: str) -> bytes:
        return bytes(len(super().give(name)))


class Gigabytes(Challenges):
    """It sends more than was asked for."""

    def give(self, name: str) -> bytes:
        return super().give(name) * 64


class NoMemory(Challenges):
    """It guesses what its pages hold."""

    def walk(self, name: str, begin: bytes, steps: int) -> dict[str, object]:
        return {"digest": to_hex(b"x" * 32)}


class FewPages(Challenges):
    """It fills less than it was told to."""

    def fill(self, name: str) -> dict[str, object]:
        return {"pages": super().fill(name)["pages"], "also": 1} | {"pages": 1}


LIES = {
    Precomputed: "does not begin",
    Skipping: "other bits at boundary 1",
    OtherBatches: "other bits at boundary 1",
    Lucky: "other bits at boundary 4",
    OtherDigest: "another digest",
    OtherBytes: "other bytes back",
    Gigabytes: "sent more than",
    NoMemory: "holds other bytes",
    FewPages: "another number of pages",
}


@holds(
    "A host of a supplier that lies in bits, bytes or memory is not reported as measured",
    by="verifier/hosts/measuring.py:Measuring.measure",
    against=Threat.FALSE_WORK,
)
@pytest.mark.parametrize("kind", LIES, ids=lambda kind: kind.__name__)
def test_a_lie_is_told_and_nothing_is_reported(tmp_path: Path, kind: type[Challenges]) -> None:
    with served(tmp_path, kind=kind) as host, pytest.raises(HostFailed, match=LIES[kind]):
        measuring().measure(host.url)


def test_a_host_that_makes_pages_on_demand_is_too_slow(tmp_path: Path) -> None:
    """It has no such memory: its time for a walk is the verifier's own, and more than the share that is allowed."""
    passed = [0.0]

    class Making(Challenges):
        def fill(self, name: str) -> dict[str, object]:
            return {"pages": walking.pages_of(self._named(name).message.memory)}

        def walk(self, name: str, begin: bytes, steps: int) -> dict[str, object]:
            one = self._named(name).message
            passed[0] += steps * 0.2
            pages = walking.pages_of(one.memory)
            return {"digest": to_hex(walking.walk(begin, pages, steps, walking.maker(one.seed)))}

    def clock() -> float:
        passed[0] += 1e-3
        return passed[0]

    with served(tmp_path, kind=Making) as host, pytest.raises(HostFailed, match="does not hold them"):
        measuring(clock=clock).measure(host.url)


def test_a_host_that_answers_late_buys_no_time(tmp_path: Path) -> None:
    """It takes its time for the short walks, by which the way there and back is measured, and makes pages in it."""
    passed = [0.0]

    class Late(Challenges):
        def fill(self, name: str) -> dict[str, object]:
            return {"pages": walking.pages_of(self._named(name).message.memory)}

        def walk(self, name: str, begin: bytes, steps: int) -> dict[str, object]:
            one = self._named(name).message
            passed[0] += 100 if steps == 1 else 5
            pages = walking.pages_of(one.memory)
            return {"digest": to_hex(walking.walk(begin, pages, steps, walking.maker(one.seed)))}

    with served(tmp_path, kind=Late) as host, pytest.raises(HostFailed, match="does not hold them"):
        measuring(clock=lambda: passed.__setitem__(0, passed[0] + 1e-3) or passed[0]).measure(host.url)


def test_a_segment_computed_before_it_is_asked_for_took_its_time(tmp_path: Path) -> None:
    """The challenge names the seed: a slow host answers it when it has the segment, and is quick from then on."""
    passed = [0.0]

    class Ahead(Challenges):
        def begin(self, one: Any) -> str:
            passed[0] += 20
            return super().begin(one)

    with served(tmp_path, kind=Ahead) as host:
        found = measuring(clock=lambda: passed[0]).measure(host.url).message
    assert found.tokens <= TINY.tokens_per_round * 1_000 // 20


def test_a_host_that_is_slow_in_each_part_ends_in_time(tmp_path: Path) -> None:
    """Each part has its own time: together they would hold a verifier for an hour, and hundreds of hosts for weeks."""

    class Slow(Challenges):
        def take(self, name: str, data: bytes) -> dict[str, object]:
            threading.Event().wait(1.5)
            return super().take(name, data)

    extent = Extent(traffic=2**10, memory=2**20, steps=8, seconds=30.0, whole=1.0)
    with served(tmp_path, kind=Slow) as host, pytest.raises(HostAway, match="in all"):
        measuring(extent=extent).measure(host.url)


def test_a_host_that_drips_bytes_is_away(tmp_path: Path) -> None:
    async def drip(_: Request) -> Response:
        async def bytes_() -> Any:
            while True:
                yield b" "
                await asyncio.sleep(0.05)

        return StreamingResponse(bytes_())

    with answering(Starlette(routes=[Route("/market/host", drip)])) as url, pytest.raises(HostAway):
        measuring(extent=Extent(seconds=0.5)).measure(url)


def test_a_copied_offer_is_worth_nothing_at_another_address(tmp_path: Path) -> None:
    """Nor is a host that shows the offer of a faster one."""
    with served(tmp_path) as faster:
        copy = made(faster.url, tmp_path)
        app = host_app(copy.host, copy.challenges, None)
        with answering(app) as url, pytest.raises(HostFailed, match="it answers for"):
            measuring().measure(url)


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async def redirect(_: Request) -> Response:
        return Response(status_code=302, headers={"Location": "http://169.254.169.254/"})

    with answering(Starlette(routes=[Route("/market/host", redirect)])) as url, pytest.raises(HostFailed):
        measuring().measure(url)


@pytest.mark.parametrize("ip", ["10.0.0.1", "169.254.169.254", "127.0.0.1", "::1", "fd00::1"])
def test_a_name_of_the_verifiers_own_network_is_not_asked(ip: str) -> None:
    """An offer's name is resolved once, and each of its addresses must be public."""
    inside = measuring(loopback=False, resolve=lambda host, port: [ip])
    with pytest.raises(HostAway, match="no public address"):
        inside.measure("http://host.example")


# -- at the host -------------------------------------------------------------------------------------------------------


def test_only_admitted_verifiers_measure_and_each_after_a_pause(host: Served) -> None:
    with pytest.raises(HostAway, match="not-a-verifier"):
        measuring(OTHER).measure(host.url)
    measuring().measure(host.url)
    with pytest.raises(HostAway, match="host-busy"):
        measuring().measure(host.url)
    measuring(VERIFIERS[1]).measure(host.url)


def test_a_verifier_that_takes_long_waits_long(tmp_path: Path) -> None:
    """Nothing is rented beside a measurement: without that, four verifiers keep a host from its renters for good."""
    host = made(URL, tmp_path)
    now = [0.0]
    host.challenges.clock = lambda: now[0]
    name = host.challenges.begin(challenge())
    now[0] += 600
    host.challenges.end(name)
    now[0] += 600 * PAUSE_SHARE - 1
    with pytest.raises(HostBusy):
        host.challenges.begin(challenge(seed=b"e" * 32))
    now[0] += 2
    host.challenges.begin(challenge(seed=b"e" * 32))
    now[0] += CHALLENGE_SECONDS * PAUSE_SHARE  # it never ended this one
    with pytest.raises(HostBusy):
        host.challenges.begin(challenge(seed=b"f" * 32))


@pytest.mark.parametrize("part", ["segment", "fill", "give", "expected"])
def test_a_part_that_is_asked_for_at_once_twice_is_done_once(tmp_path: Path, part: str) -> None:
    """A verifier could have the memory that is lent filled forty times over."""
    challenges = made(URL, tmp_path).challenges
    name = challenges.begin(challenge())
    ready, refused = threading.Barrier(4), []

    def ask() -> None:
        ready.wait()
        try:
            getattr(challenges, part)(name)
        except ChallengeRefused as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3


def test_walks_have_an_end(tmp_path: Path) -> None:
    challenges = made(URL, tmp_path).challenges
    name = challenges.begin(challenge())
    challenges.fill(name)
    with pytest.raises(ChallengeRefused):
        challenges.walk(name, b"x" * 32, MOST_STEPS + 1)
    for _ in range(MOST_WALKS - 1):
        challenges.walk(name, b"x" * 32, 1)
    with pytest.raises(ChallengeRefused):
        challenges.walk(name, b"x" * 32, 1)


# -- strangers at the host ---------------------------------------------------------------------------------------------


def _sent(url: str, path: str, body: bytes, more: bool = False) -> tuple[int, int]:
    """The status, and how many bytes could be sent before it came; with `more`, a byte less than is announced."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as line:
        line.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + more}\r\n\r\n".encode())
        sent = 0
        with suppress(OSError):
            while sent < len(body) and not select.select([line], [], [], 0)[0]:
                sent += line.send(body[sent : sent + 2**16])
        return int(line.recv(100).split()[1]), sent


def test_a_strangers_gigabytes_are_not_read(host: Served) -> None:
    """Only a challenge that is under way takes any; and its own verifier only as many as it named, once."""
    assert _sent(host.url, "/market/challenges/none/traffic", b"x", more=True)[0] == 404
    name = host.challenges.begin(challenge(url=host.url, traffic=2**16))
    path = f"/market/challenges/{name}/traffic"
    status, sent = _sent(host.url, path, bytes(2**26))
    assert (status, sent < 2**25) == (413, True)
    assert _sent(host.url, path, b"x", more=True)[0] == 422


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/market/orders", b'{"order": {}, "script": "\\ud800"}'),
        ("/market/orders", b"[" * 8_000),
        ("/market/calls", b'{"message": {}, "signature": "0x"}'),
        ("/market/challenges", b"\xff"),
        ("/market/challenges/x/walk", b'{"begin": "' + "é".encode() * 66 + b'", "steps": 1}'),
        ("/market/reports", b"null"),
    ],
)
def test_a_strangers_body_is_refused_in_words(tmp_path: Path, path: str, body: bytes) -> None:
    """What is no such message must not end in a traceback: strangers would fill the log."""
    with served(tmp_path, (OTHER.address,)) as host:
        assert 400 <= _sent(host.url, path, body)[0] < 500


def test_one_measurement_goes_on_at_a_time(host: Served) -> None:
    here = host.host.terms.url
    name = host.challenges.begin(challenge(url=here))
    with pytest.raises(HostBusy):
        host.challenges.begin(challenge(VERIFIERS[1], url=here, seed=b"e" * 32))
    host.challenges.end(name)
    host.challenges.begin(challenge(VERIFIERS[1], url=here, seed=b"e" * 32))


def test_a_challenge_beyond_what_the_supplier_lends_is_refused(host: Served) -> None:
    for changes in ({"memory": 2**23}, {"traffic": 2**30}, {"profile": "bounded"}):
        with pytest.raises(ChallengeRefused):
            host.challenges.begin(challenge(url=host.url, **changes))


def test_strangers_bytes_are_not_read(host: Served) -> None:
    """A body of 64 MB, for a challenge that nobody began, is refused at its head: thousands would fill the memory."""
    asked = httpx.Request("POST", f"{host.url}/market/challenges/{'0' * 32}/traffic", content=_endless())
    answer = httpx.Client(timeout=10).send(asked)
    assert (answer.status_code, answer.json()["code"]) == (404, "challenge-unknown")
    name = host.challenges.begin(challenge(url=host.url))
    beyond = httpx.post(f"{host.url}/market/challenges/{name}/walk", content=b" " * 10_000)
    assert (beyond.status_code, beyond.json()["code"]) == (413, "host-body-too-large")


def _endless() -> Iterator[bytes]:
    for _ in range(3):
        yield b"x" * 1_000


def test_reports_of_others_are_not_shown_by_the_host(host: Served) -> None:
    with pytest.raises(BadHostMessage):
        host.host.take_report(report(url="https://faster.example"))
    assert host.host.reports() == []


def test_the_offer_is_signed_anew_before_it_ends(host: Served) -> None:
    first = host.host.offer()
    host.clock.now += 1_000
    assert host.host.offer() is first
    host.clock.now += 1_000
    second = host.host.offer().message
    assert second.expiresAt > host.clock.now + host.host.lasts // 2
    assert second.issuedAt > offer().message.issuedAt
