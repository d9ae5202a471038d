"""Real processes: noticed when they die, ended as groups, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commonweight.demo.processes import ActorFailed, Processes, free_port
from commonweight.keystore import PASSPHRASE_VARIABLE
from tests.commonweight.demo.proc import gone, running_with

pytestmark = pytest.mark.integration

PATIENCE = 30.0
FAMILY = """
import pathlib, subprocess, sys, time
from contracts.process.spawner import end_with_spawner
end_with_spawner()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
{after}
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path / "logs", "secret") as made:
        yield made


def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> str:
    """A module that `python -m` finds."""
    (tmp_path / "actor.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "actor"


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


def read_pid(path: Path) -> int:
    eventually(lambda: path.exists() and path.read_text() != "")
    return int(path.read_text())


@pytest.mark.parametrize(("ending", "status"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", -9)])
def test_an_actor_that_dies_is_noticed_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, status: int
) -> None:
    body = f"import os, sys\nprint('x' * 2000)\nprint('the last word', flush=True)\n{ending}\n"
    module = write_module(tmp_path, monkeypatch, body)
    with Processes(tmp_path / "logs", "secret") as processes:
        processes.start_module("ada", module)
        with pytest.raises(ActorFailed) as caught:
            processes.wait("nothing", lambda: False, seconds=PATIENCE, pause=0.05)
    assert f"ada ended with status {status}" in caught.value.detail
    assert "the last word" in caught.value.detail
    assert len(caught.value.detail) < 1000


def test_a_death_on_purpose_and_a_finished_actor_are_no_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = write_module(tmp_path, monkeypatch, "import sys, time\ntime.sleep(float(sys.argv[1]))\n")
    with Processes(tmp_path / "logs", "secret") as processes:
        processes.start_module("ben", module, "600")
        processes.start_module("solo", module, "0")
        processes.kill("ben")
        eventually(lambda: not processes.alive("solo"))
        assert not processes.alive("ben")
        processes.check()


def test_waiting_ends_with_what_was_found_or_with_a_refusal(processes: Processes) -> None:
    found = iter([0, "", "found"])
    assert processes.wait("it", lambda: next(found), pause=0.01) == "found"
    with pytest.raises(ActorFailed, match=r"gave up waiting for rain after 0 s; logs are in .*logs"):
        processes.wait("rain", lambda: False, seconds=0.05, pause=0.01)


def test_leaving_the_context_ends_grandchildren_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = write_module(tmp_path, monkeypatch, FAMILY.format(after="time.sleep(600)"))
    with Processes(tmp_path / "logs", "secret") as processes:
        processes.start_module("vera", module, str(tmp_path / "pid"))
        grandchild = read_pid(tmp_path / "pid")
        assert not gone(grandchild)
    assert gone(grandchild)


def test_an_orphan_whose_parent_ended_is_ended_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = write_module(tmp_path, monkeypatch, FAMILY.format(after=""))
    with Processes(tmp_path / "logs", "secret") as processes:
        processes.start_module("vera", module, str(tmp_path / "pid"))
        eventually(lambda: not processes.alive("vera"))
        orphan = read_pid(tmp_path / "pid")
        assert not gone(orphan)
    eventually(lambda: gone(orphan))


def test_who_does_not_heed_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commonweight.demo.processes.GRACE_SECONDS", 0.2)
    body = "import pathlib, signal, sys, os, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    body += "pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    module = write_module(tmp_path, monkeypatch, body)
    with Processes(tmp_path / "logs", "secret") as processes:
        processes.start_module("deaf", module, str(tmp_path / "pid"))
        pid = read_pid(tmp_path / "pid")
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_killed_parent_takes_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = write_module(tmp_path, monkeypatch, FAMILY.format(after="time.sleep(600)"))
    program = (
        "import sys, time, pathlib\nfrom commonweight.demo.processes import Processes\n"
        f"processes = Processes(pathlib.Path(sys.argv[1]) / 'logs', 'secret')\n"
        f"processes.start_module('ada', {module!r}, sys.argv[1] + '/grandchild')\n"
        "pathlib.Path(sys.argv[1], 'child').write_text(str(processes._running['ada'].pid))\ntime.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)])
    child, grandchild = read_pid(tmp_path / "child"), read_pid(tmp_path / "grandchild")
    try:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        eventually(lambda: gone(child))
    finally:
        os.kill(grandchild, signal.SIGKILL)  # no actor of ours leaves one: each sets its own death signal


def test_a_short_command_gives_its_json_or_its_text(processes: Processes, tmp_path: Path) -> None:
    made = processes.command("keys", "new", "--out", str(tmp_path / "k.json"), "--json")
    assert made["keystore"] == str(tmp_path / "k.json")
    assert processes.command("keys", "address", str(tmp_path / "k.json")) == made["address"]


def test_when_one_command_fails_the_others_beside_it_are_ended(processes: Processes, tmp_path: Path) -> None:
    port = str(free_port())
    with pytest.raises(ActorFailed, match=r"`commonweight keys address .*keystore-refused: no keystore"):
        processes.commands([("keys", "address", str(tmp_path / "no.json")), ("chain", "--port", port)])
    assert running_with(f"commonweight chain --port {port}") == []


def test_actors_get_no_settings_of_whoever_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that runs a server or a node of its own has variables that would change the demo's."""
    for prefix in ("SERVER", "NODE", "VERIFIER"):
        monkeypatch.setenv(f"COMMONWEIGHT_{prefix}_RPC_URL", "http://127.0.0.1:1")
    names = "[name for name in os.environ if name.startswith('COMMONWEIGHT_')]"
    module = write_module(tmp_path, monkeypatch, f"import os\nprint({names})\n")
    with Processes(tmp_path / "logs", "secret") as processes:
        processes.start_module("ada", module)
        eventually(lambda: not processes.alive("ada"))
    assert "_RPC_URL" not in processes.log("ada").read_text()


def test_actors_get_the_passphrase_by_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = write_module(
        tmp_path, monkeypatch, f"import os, sys\nprint(os.environ[{PASSPHRASE_VARIABLE!r}], sys.argv)\n"
    )
    with Processes(tmp_path / "logs", "secret") as processes:
        processes.start_module("ada", module)
        eventually(lambda: not processes.alive("ada"))
    said = processes.log("ada").read_text()
    assert said.startswith("secret ")
    assert said.count("secret") == 1
