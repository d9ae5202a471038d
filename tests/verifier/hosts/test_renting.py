"""Machines of a host: whom it runs scripts for, and that nothing of a script runs on after its end."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import BadSignature, CommonweightError
from contracts.hosts.errors import BadHostMessage, HostMessageOld
from tests.contracts.hosts.offered import NOW, OTHER, RENTER, call, challenge, order
from tests.holds import Threat, holds
from tests.verifier.hosts.served import Served, made
from verifier.hosts.ending import hold, is_held
from verifier.hosts.errors import HostBusy, RentPriceRose, RentRefused
from verifier.hosts.keeping import environment
from verifier.hosts.renting import ANYBODY, Renting

pytestmark = pytest.mark.integration
URL = "https://host.example"
SLEEPS = b"echo began; echo $$ > pid; (sleep 600; echo never) & wait"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Served]:
    one = made(URL, tmp_path, (RENTER.address,))
    assert one.renting is not None
    yield one
    one.renting.close()


@pytest.fixture
def renting(host: Served) -> Renting:
    assert host.renting is not None
    return host.renting


def _pid(renting: Renting, tag: str = "cw-1-1") -> int:
    """Of the script, once it has begun."""
    file = renting.folder / tag / "home" / "pid"
    for _ in range(600):
        if file.is_file() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.05)
    raise AssertionError("the script did not begin")


def _is_over(group: int) -> bool:
    for _ in range(400):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def _only(renting: Renting) -> dict[str, Any]:
    found: Any = renting.call(call(1))["machines"]
    (shown,) = found
    return dict(shown)


def test_a_machine_runs_its_script_until_its_renter_ends_it(renting: Renting) -> None:
    machine = renting.order(order(SLEEPS), SLEEPS)
    group = _pid(renting)
    assert renting.is_rented
    shown = _only(renting)
    assert (shown["tag"], shown["ended_at"], shown["ends_at"]) == (machine.tag, 0, NOW + 3600)
    assert "began" in str(renting.call(call(3, machine.tag))["output"])
    renting.call(call(2, machine.tag))
    assert _is_over(group)
    assert not renting.is_rented
    shown = _only(renting)
    assert shown["ended_at"] == NOW


def test_an_order_sent_again_starts_nothing(renting: Renting) -> None:
    """Not while its machine runs, not after its end, and not at a host that was started again."""
    script = b"echo once >> ../count"
    renting.order(order(script), script)
    while renting.is_rented:
        time.sleep(0.05)
    assert renting.order(order(script), script).ended_at
    again = Renting(renting.host, renting.folder, renting.renters, renting.most_seconds)
    assert again.order(order(script), script).ended_at
    assert (renting.folder / "cw-1-1" / "count").read_text() == "once\n"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"price": 299_999}, RentPriceRose),
        ({"url": "https://other.example"}, BadHostMessage),
        ({"supplier": OTHER.address}, BadHostMessage),
        ({"issuedAt": NOW - 301}, HostMessageOld),
        ({"endsAt": NOW}, RentRefused),
        ({"endsAt": NOW + 7200 + 61}, RentRefused),
        ({"tag": "../../etc"}, RentRefused),
        ({"script": b"x" * 32}, RentRefused),
        ({"renter": OTHER.address}, BadSignature),
        ({"model": b"m" * 32}, BadHostMessage),
    ],
)
def test_an_order_that_is_not_for_this_host_is_refused(
    renting: Renting, changes: dict[str, Any], error: type[CommonweightError]
) -> None:
    with pytest.raises(error):
        renting.order(order(b"true", **changes), b"true")
    assert not renting.folder.exists()


@holds(
    "A supplier's host runs no script of a renter whom its supplier has not named",
    by="verifier/hosts/renting.py:Renting.order",
    against=Threat.FORGED_MESSAGE,
)
def test_a_renter_without_permission_runs_nothing(renting: Renting) -> None:
    with pytest.raises(RentRefused, match="rents nothing"):
        renting.order(order(b"true", OTHER), b"true")
    assert not renting.folder.exists()
    renting.renters = (ANYBODY,)
    renting.order(order(b"true", OTHER), b"true")


def test_another_renter_sees_and_ends_nothing(renting: Renting) -> None:
    renting.order(order(SLEEPS), SLEEPS)
    assert renting.call(call(1, signer=OTHER)) == {"machines": []}
    for number in (2, 3):
        with pytest.raises(RentRefused):
            renting.call(call(number, "cw-1-1", OTHER))
    with pytest.raises(HostMessageOld):
        renting.call(call(2, "cw-1-1", issuedAt=NOW - 301))
    with pytest.raises(RentRefused):  # the name of a machine is its renter's
        renting.order(order(SLEEPS, endsAt=NOW + 60), SLEEPS)
    assert renting.is_rented


def test_one_machine_runs_at_a_time_and_not_beside_a_measurement(host: Served, renting: Renting) -> None:
    renting.order(order(SLEEPS), SLEEPS)
    with pytest.raises(HostBusy):
        renting.order(order(SLEEPS, tag="cw-1-2"), SLEEPS)
    with pytest.raises(HostBusy):
        host.challenges.begin(challenge())
    renting.call(call(2, "cw-1-1"))
    host.challenges.begin(challenge())
    with pytest.raises(HostBusy):
        renting.order(order(SLEEPS, tag="cw-1-2"), SLEEPS)


def test_a_machine_ends_with_its_time(renting: Renting, host: Served) -> None:
    script = b"trap '' TERM; echo $$ > pid; while :; do sleep 0.2; done"
    renting.order(order(script, endsAt=NOW + 2), script)
    assert _is_over(_pid(renting)), "it heeds no SIGTERM, and is killed"


@holds(
    "A renter's script ends with the process of the host that runs it, however that ends",
    by="verifier/hosts/keeping.py:keep",
    against=Threat.CRASH,
)
def test_a_machine_ends_with_its_host_however_that_ends(tmp_path: Path) -> None:
    """The host's process is killed: nobody is left to end the script but its keeper."""
    place = tmp_path / "m"
    place.mkdir()
    (place / "script.sh").write_bytes(SLEEPS)
    words = ["-m", "verifier.hosts.keeping", str(place), "600", "1"]
    own = "str(os.getpid()), ''"
    text = f"import os, subprocess as s, sys, time; s.Popen([sys.executable, *{words!r}, {own}]); time.sleep(600)"
    host = subprocess.Popen([sys.executable, "-c", text])
    try:
        file = place / "home" / "pid"
        for _ in range(600):
            if file.is_file() and file.read_text().strip():
                break
            time.sleep(0.05)
        group = int(file.read_text())
    finally:
        host.send_signal(signal.SIGKILL)
        host.wait()
    assert _is_over(group)


def test_a_script_gets_no_secret_of_its_hosts_environment(tmp_path: Path) -> None:
    own = {"PATH": "/bin", "COMMONWEIGHT_PASSPHRASE": "secret", "AWS_SECRET_ACCESS_KEY": "secret", "LANG": "C"}
    given = environment(own, tmp_path)
    assert {name: given.pop(name) for name in ("HOME", "COMMONWEIGHT_MARKET_HOME")} == {
        "HOME": str(tmp_path),
        "COMMONWEIGHT_MARKET_HOME": str(tmp_path),
    }
    assert given == {"PATH": "/bin", "LANG": "C", "TMPDIR": str(tmp_path / "tmp")}


def test_a_machines_temporary_files_go_with_it(renting: Renting) -> None:
    """A cache of compiled code that one renter left would be run by the next one's programs."""
    script = b"mktemp > name; cp name $PWD/../../kept; sleep 600"
    renting.order(order(script), script)
    kept = renting.folder / "kept"
    for _ in range(600):
        if kept.is_file() and kept.read_text().strip():
            break
        time.sleep(0.05)
    made = Path(kept.read_text().strip())
    assert made.is_relative_to(renting.folder / "cw-1-1")
    renting.call(call(2, "cw-1-1"))
    assert not made.exists()


def _deep(folder: Path, levels: int) -> None:
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)


def test_no_script_leaves_folders_that_cannot_be_removed(tmp_path: Path) -> None:
    """Too deep for a program's stack, or closed to their owner: they would fill the disk, and break every list. In a
    process of its own, as a keeper is one: this one may have another limit of recursion."""
    _deep(tmp_path / "home", 3_000)
    closed = tmp_path / "home" / "closed"
    closed.mkdir()
    (closed / "file").write_bytes(b"x")
    closed.chmod(0)
    text = "import sys, pathlib; from verifier.hosts.keeping import clear; clear(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", text, str(tmp_path)], check=True)
    assert not (tmp_path / "home").exists()


def test_a_host_without_file_descriptors_ends_no_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers hold them all: its files would be removed while it runs, and another one started beside it."""
    assert not is_held(tmp_path), "it has no lock yet"
    handle = hold(tmp_path)

    def none(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", none)
        assert is_held(tmp_path)
    os.close(handle)
    assert not is_held(tmp_path)
