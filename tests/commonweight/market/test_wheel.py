"""A wheel on the renter's disk, as its machines get it."""

from __future__ import annotations

import hashlib
import socket
import urllib.request
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

import pytest

from commonweight.market import wheel
from commonweight.market.wheel import Package, WheelUnserved, reachable

pytestmark = pytest.mark.integration
DATA = b"PK\x03\x04 a wheel"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "commonweight-0.3.0-py3-none-any.whl"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize(
    ("what", "sha256"),
    [("commonweight==0.3.0", ""), ("https://files.example/x.whl", DIGEST), ("missing.whl", "")],
)
def test_what_is_no_wheel_on_this_disk_stays_as_it_is(what: str, sha256: str) -> None:
    with reachable(what, sha256, "", 0) as found:
        assert found == Package(what, sha256)


@pytest.mark.parametrize(("what", "sha256"), [("commonweight==0.3.0", DIGEST), ("https://files.example/x.whl", "ab")])
def test_no_digest_is_named_that_pip_would_refuse(what: str, sha256: str) -> None:
    """On each machine, after it was rented."""
    with pytest.raises(WheelUnserved), reachable(what, sha256, "", 0):
        pass


def test_strangers_hold_no_more_places_than_there_are(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process behind the port ends machines, and needs files and threads for that. Places come free again."""
    monkeypatch.setattr(wheel, "_own_address", lambda: "http://127.0.0.1")
    monkeypatch.setattr(wheel, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(wheel, "WHOLE_SECONDS", 1.0)
    monkeypatch.setattr(wheel, "IDLE_SECONDS", 600)  # they send a letter now and then
    with reachable(str(file), "", "", 0) as found:
        port = int(urlsplit(found.what).port or 0)
        strangers = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(9)]
        for one in strangers:
            assert one.recv(1) == b"", "cut, at once or after its time"
            one.close()
        assert urllib.request.urlopen(found.what, timeout=10).read() == DATA


def test_a_wheel_is_served_while_the_fleet_lasts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "_own_address", lambda: "http://127.0.0.1")
    with reachable(str(file), "", "", 0) as found:
        assert found.sha256 == DIGEST
        assert urllib.request.urlopen(found.what, timeout=10).read() == DATA
        parts = urlsplit(found.what)
        for path in ("/", f"/{file.name}", f"{parts.path}/../..", "/etc/passwd"):
            with pytest.raises(HTTPError):
                urllib.request.urlopen(f"http://{parts.netloc}{path}", timeout=10)
    with pytest.raises(URLError):
        urllib.request.urlopen(found.what, timeout=10)


def test_a_proxys_address_is_the_machines(file: Path) -> None:
    with reachable(str(file), DIGEST, "https://me.example/", 0) as found:
        assert found.what.startswith("https://me.example/")
        assert found.what.endswith(file.name)


def test_a_machine_that_nobody_reaches_serves_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Private:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> Private:
            return self

        def __exit__(self, *_: object) -> None: ...
        def connect(self, _: object) -> None: ...
        def getsockname(self) -> tuple[str, int]:
            return "10.1.2.3", 1

    monkeypatch.setattr("commonweight.market.wheel.socket.socket", Private)
    with pytest.raises(WheelUnserved, match="--package-url"), reachable(str(file), "", "", 0):
        pass


def test_another_wheel_than_the_one_that_was_named_is_refused(file: Path) -> None:
    with pytest.raises(WheelUnserved), reachable(str(file), "00" * 32, "https://me.example", 0):
        pass
