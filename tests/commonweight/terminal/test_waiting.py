"""A process that is started while its chain node is away waits, says so, and ends when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import typer
from eth_account import Account
from requests.exceptions import ConnectionError as Lost

from commonweight.demo.processes import free_port
from commonweight.keystore import PASSPHRASE_VARIABLE, write_keystore
from commonweight.terminal import waiting
from commonweight.terminal.waiting import wait_for
from contracts.errors import CommonweightError
from tests.verifier.conftest import NOWHERE


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "wait_random_exponential", lambda *_, **__: lambda _state: 0.001)


@pytest.mark.unit
@pytest.mark.usefixtures("_hurried")
def test_what_is_away_is_tried_again_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    left = [Lost("no route"), Lost("no route")]

    def attempt() -> int:
        if left:
            raise left.pop()
        return 7

    assert wait_for("the chain node X", attempt, threading.Event()) == 7
    begun, ended = capsys.readouterr().err.splitlines()
    assert begun.startswith("the chain node X does not answer: ")
    assert ended.startswith("the chain node X answers again")


@pytest.mark.unit
@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize("error", [CommonweightError("wrong model"), ZeroDivisionError()], ids=repr)
def test_what_does_not_pass_is_raised_at_once(error: Exception) -> None:
    calls = []

    def attempt() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        wait_for("x", attempt, threading.Event())
    assert calls == [1]


@pytest.mark.unit
@pytest.mark.usefixtures("_hurried")
def test_who_does_not_want_to_wait_gives_up() -> None:
    def attempt() -> None:
        raise Lost("no route")

    with pytest.raises(Lost):
        wait_for("x", attempt, threading.Event(), give_up_after=0.05)


@pytest.mark.unit
def test_a_signal_breaks_the_wait_off() -> None:
    stop = threading.Event()

    def attempt() -> None:
        stop.set()
        raise Lost("no route")

    with pytest.raises(typer.Exit) as ended:
        wait_for("x", attempt, stop)
    assert ended.value.exit_code == 0


@pytest.mark.integration
@pytest.mark.parametrize("actor", ["node", "verifier", "serve"])
def test_a_process_waits_for_its_chain_and_ends_on_a_signal(actor: str, tmp_path: Path) -> None:
    key = Account.from_key(b"\1" * 32)
    write_keystore(tmp_path / "key.json", bytes(key.key), "correct horse", iterations=1)
    (tmp_path / "deployment.json").write_text(NOWHERE.to_json())
    away = f"http://127.0.0.1:{free_port()}"
    joins = ["--keystore", "key.json", "--deployment", "deployment.json", "--rpc-url", away]
    run = ["--run", "0x" + "11" * 32, "--api", away]
    words = {
        "node": ["node", *joins, *run, "--payout", key.address],
        "verifier": ["verifier", "run", *joins, *run],
        "serve": ["serve", *joins],
    }[actor]
    process = subprocess.Popen(
        [sys.executable, "-m", "commonweight", *words],
        cwd=tmp_path,
        env=os.environ | {PASSPHRASE_VARIABLE: "correct horse"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    assert said.startswith(f"the chain node {away} does not answer: ")
    time.sleep(0.1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
