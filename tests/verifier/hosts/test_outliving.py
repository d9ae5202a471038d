"""Scripts that want to outlive their end, keepers and hosts that are killed: nothing runs on, nothing is forgotten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from contracts.files.whole_file import DiskFull
from tests.contracts.hosts.offered import NOW, OTHER, RENTER, call, order
from tests.verifier.hosts.served import Served, made
from verifier.hosts import ending, machines
from verifier.hosts.errors import HostBusy
from verifier.hosts.machines import FORGOTTEN_SECONDS
from verifier.hosts.renting import ANYBODY, Renting

pytestmark = pytest.mark.integration
URL = "https://host.example"
TAG = "cw-1-1"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="subreapers and /proc are Linux's")
SLEEPS = b"echo $$ > pid; exec sleep 600"
LEAVES = b"""
(trap '' TERM HUP; setsid sh -c 'trap "" TERM HUP; (echo $$ > deep; while :; do sleep 1; done) &' &)
while [ ! -s deep ]; do sleep 0.05; done
echo $$ > pid
"""
"""A grandchild in another session, without a parent, that heeds no SIGTERM."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Served]:
    one = made(URL, tmp_path, (RENTER.address,))
    assert one.renting is not None
    one.renting.grace = 1.0
    yield one
    one.renting.close()


@pytest.fixture
def renting(host: Served) -> Renting:
    assert host.renting is not None
    return host.renting


def _until(found: Callable[[], Any], seconds: float = 30.0) -> Any:
    end = time.monotonic() + seconds
    while not (one := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return one


def _begun(renting: Renting, script: bytes, name: str = "pid", **changes: Any) -> int:
    """Order it; what it wrote into a file of its home."""
    renting.order(order(script, **changes), script)
    file = renting.folder / str(changes.get("tag", TAG)) / "home" / name
    return int(_until(lambda: file.is_file() and file.read_text().strip()))


def _shown(renting: Renting) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], renting.call(call(1))["machines"])


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


# -- scripts -----------------------------------------------------------------------------------------------------------


@LINUX
def test_a_daemon_that_left_everything_ends_with_its_machine(renting: Renting) -> None:
    """Its script has ended by itself, and with it the machine."""
    pid = _begun(renting, LEAVES, "deep")
    _until(lambda: not renting.is_rented)
    assert not _lives(pid)


@LINUX
def test_a_daemon_ends_when_its_renter_ends_the_machine(renting: Renting) -> None:
    pid = _begun(renting, LEAVES + b"exec sleep 600", "deep")
    renting.call(call(2, TAG))
    assert not _lives(pid)
    assert not renting.is_rented


@LINUX
def test_a_script_that_stops_its_keeper_is_ended(renting: Renting, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is of the same user, and may: the host ends both."""
    monkeypatch.setattr("verifier.hosts.renting.LATE_SECONDS", 0)
    pid = _begun(renting, b"kill -STOP $PPID; echo $$ > pid; exec sleep 600")
    renting.call(call(2, TAG))
    assert not _lives(pid)
    assert not renting.is_rented


@LINUX
def test_a_script_without_its_keeper_is_no_ended_machine(
    renting: Renting, host: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keeper was killed: the machine counts as rented until the host has ended it, after its time too."""
    monkeypatch.setattr("verifier.hosts.renting.LATE_SECONDS", -1.5)
    pid = _begun(renting, b"kill -KILL $PPID; echo $$ > pid; exec sleep 600", endsAt=NOW + 1)
    assert renting.is_rented
    assert [one["ended_at"] for one in _shown(renting)] == [0]
    with pytest.raises(HostBusy):
        renting.order(order(SLEEPS, tag="cw-1-2"), SLEEPS)
    time.sleep(1)
    renting.look()
    assert not _lives(pid)
    assert not renting.is_rented


def test_the_next_renter_finds_nothing_of_the_one_before(renting: Renting) -> None:
    script = b"echo my key > key; echo $$ > pid; echo said; exec sleep 600"
    _begun(renting, script)
    renting.call(call(2, TAG))
    left = sorted(path.name for path in (renting.folder / TAG).iterdir())
    assert not {"home", "script.sh"} & set(left)
    assert renting.call(call(3, TAG)) == {"output": "said\n"}


def test_output_without_end_is_cut_when_the_machine_ends(renting: Renting) -> None:
    script = b"head -c 300000 /dev/zero | tr '\\0' x; echo $$ > pid; exec sleep 600"
    _begun(renting, script)
    renting.call(call(2, TAG))
    assert (renting.folder / TAG / "output.log").stat().st_size <= 16_384


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a script to another user")
def test_a_script_of_another_user_has_none_of_roots_rights() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        one = made(URL, Path(folder), (RENTER.address,))
        renting = one.renting
        assert renting is not None
        renting.user = "nobody"
        (Path(folder) / "host.json").write_text("a keystore")
        (Path(folder) / "host.json").chmod(0o640)
        script = b'id -u; id -g; cd "$HOME" && cat ../../../host.json; ls ..; cat ../machine.json; kill -9 $PPID; true'
        renting.order(order(script), script)
        try:
            _until(lambda: not renting.is_rented)
            said = str(renting.call(call(3, TAG))["output"])
        finally:
            renting.close()
    assert said.splitlines()[:2] == ["65534", "65534"]
    assert "keystore" not in said
    assert "renter" not in said
    assert said.count("denied") + said.count("not permitted") >= 4, said


# -- a host that is killed, and started again --------------------------------------------------------------------------


@LINUX
def test_a_host_that_comes_back_finds_what_still_runs(renting: Renting) -> None:
    """It is not counted as ended, nor is another one put beside it, until its keeper has ended it."""
    pid = _begun(renting, SLEEPS)
    again = Renting(renting.host, renting.folder, renting.renters, renting.most_seconds, grace=1.0)
    assert again.is_rented
    assert [one["ended_at"] for one in _shown(again)] == [0]
    with pytest.raises(HostBusy):
        again.order(order(SLEEPS, tag="cw-1-2"), SLEEPS)
    again.call(call(2, TAG))
    assert not _lives(pid)
    assert not again.is_rented


def test_a_host_killed_before_its_keeper_looked_is_missed(tmp_path: Path) -> None:
    (tmp_path / "script.sh").write_bytes(SLEEPS)
    dead = subprocess.Popen(["true"])
    dead.wait()
    words = ["-m", "verifier.hosts.keeping", str(tmp_path), "600", "1", str(dead.pid), ""]
    assert subprocess.run([sys.executable, *words], check=False, timeout=60).returncode == -signal.SIGTERM & 255


# -- what is remembered ------------------------------------------------------------------------------------------------


def test_a_thousand_short_orders_leave_room_for_more(
    renting: Renting, host: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renter may have as many; an order is forgotten when no copy of it can be taken any more."""
    monkeypatch.setattr(machines, "MOST_KEPT", 2)
    renting.renters = (ANYBODY,)

    def ordered(number: int) -> None:
        renting.order(order(b"true", OTHER, tag=f"cw-1-{number}", issuedAt=host.clock.now), b"true")
        _until(lambda: not renting.is_rented)
        renting.call(call(1, issuedAt=host.clock.now))

    ordered(1)
    ordered(2)
    with pytest.raises(HostBusy):
        ordered(3)
    host.clock.now += FORGOTTEN_SECONDS + 1
    ordered(3)
    assert sorted(path.name for path in renting.folder.iterdir()) == ["cw-1-2", "cw-1-3"]


def test_a_full_disk_leaves_nothing_of_an_order(renting: Renting, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise DiskFull("no room")

    with monkeypatch.context() as patched:
        patched.setattr(machines, "create_file", full)
        with pytest.raises(DiskFull):
            renting.order(order(SLEEPS), SLEEPS)
    assert list(renting.folder.iterdir()) == []
    _begun(renting, SLEEPS)


def test_what_a_script_broke_of_its_own_hides_no_other(renting: Renting) -> None:
    """It is of the same user, and writes where it likes."""
    for number, script in enumerate((b"echo x > ../ended", b"echo x > ../machine.json", b"true")):
        renting.order(order(script, tag=f"cw-1-{number}"), script)
        _until(lambda: not renting.is_rented)
    assert [one["tag"] for one in _shown(renting)] == ["cw-1-0", "cw-1-2"]


def test_locks_end_with_their_processes(tmp_path: Path) -> None:
    assert not ending.is_held(tmp_path)
    handle = ending.hold(tmp_path)
    assert ending.is_held(tmp_path)
    os.close(handle)
    assert not ending.is_held(tmp_path)
