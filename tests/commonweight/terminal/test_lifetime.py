"""How long a command lives: past its shell and its terminal, until it is told to end, and no child past its parent."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from commonweight.keystore import write_keystore
from tests.commonweight.demo.proc import heed_signals_again
from tests.waiting import until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="terminals and parents as Linux has them"),
]
PATIENCE = 60.0
COMMAND = """
import sys
from commonweight.terminal.console import say, speak_json
from commonweight.terminal.lifetime import heed_no_more, heed_signals
speak_json("--json" in sys.argv)
stop = heed_signals()
stop.watched()
say("ready")
n = 0
while not stop.wait(0.05) or "--deaf" in sys.argv:
    n += 1
    say(f"line {n}")
    with open(sys.argv[1], "w") as file:
        file.write(str(n))
heed_no_more()
"""


def count(file: Path) -> int:
    with suppress(FileNotFoundError, ValueError):
        return int(file.read_text())
    return 0


@contextmanager
def started(*words: object, **popen: object) -> Iterator[subprocess.Popen[str]]:
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
        "preexec_fn": heed_signals_again,
        **popen,
    }
    process = subprocess.Popen([sys.executable, "-c", *map(str, words)], **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_it_with_a_line(tmp_path: Path, number: signal.Signals) -> None:
    with started(COMMAND, tmp_path / "count") as process:
        until(lambda: count(tmp_path / "count"))
        process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out.splitlines()[-1] == f"ended by {number.name}"


def test_json_has_its_last_line_as_an_object(tmp_path: Path) -> None:
    with started(COMMAND, tmp_path / "count", "--json") as process:
        until(lambda: count(tmp_path / "count"))
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(timeout=PATIENCE)
    assert out.splitlines()[-1] == '{"detail": "SIGHUP", "event": "ended"}'


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_what_is_ignored_stays_ignored(tmp_path: Path, number: signal.Signals) -> None:
    """As nohup does with SIGHUP, and a shell's script with SIGINT for what it starts in the background."""
    with started(COMMAND, tmp_path / "count", preexec_fn=lambda: signal.signal(number, signal.SIG_IGN)) as process:
        until(lambda: count(tmp_path / "count"))
        process.send_signal(number)
        seen = count(tmp_path / "count")
        until(lambda: count(tmp_path / "count") > seen + 2)
        process.terminate()
        out, _ = process.communicate(timeout=PATIENCE)
    assert out.splitlines()[-1] == "ended by SIGTERM"


def test_told_twice_by_one_closing_terminal_is_told_once(tmp_path: Path) -> None:
    with started(COMMAND, tmp_path / "count") as process:
        until(lambda: count(tmp_path / "count"))
        os.kill(process.pid, signal.SIGHUP)
        os.kill(process.pid, signal.SIGHUP)
        assert process.wait(PATIENCE) == 0


def test_told_again_later_it_ends_where_it_stands(tmp_path: Path) -> None:
    with started(COMMAND, tmp_path / "count", "--deaf", stdout=subprocess.DEVNULL) as process:
        until(lambda: count(tmp_path / "count"))
        process.terminate()
        told, seen = time.monotonic(), count(tmp_path / "count")
        until(lambda: count(tmp_path / "count") > seen + 2 and time.monotonic() > told + 1.5)
        process.terminate()
        process.wait(PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_question_for_the_passphrase_ends_at_once(tmp_path: Path) -> None:
    write_keystore(tmp_path / "key.json", b"\x11" * 32, "secret", iterations=1)
    (tmp_path / "deployment.json").write_text("{}")
    words = ("keeper", "--keystore", "key.json", "--deployment", "deployment.json")
    leader, follower = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COMMONWEIGHT_PASS")}
    process = subprocess.Popen(
        [sys.executable, "-m", "commonweight", *words],
        cwd=tmp_path,
        env=clean,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        preexec_fn=heed_signals_again,
    )
    try:
        os.close(follower)
        asked = b""
        while b"Passphrase of" not in asked:
            asked += os.read(leader, 1000)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def test_a_shell_that_ends_leaves_it_running(tmp_path: Path) -> None:
    """With nohup, as docs/operate.md has it."""
    (tmp_path / "command.py").write_text(COMMAND)
    script = f"nohup {sys.executable} command.py count > log 2>&1 &\necho $!"
    shell = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    pid = int(shell.stdout)
    try:
        until(lambda: count(tmp_path / "count"))
        os.kill(pid, signal.SIGHUP)
        seen = count(tmp_path / "count")
        until(lambda: count(tmp_path / "count") > seen + 2)
        os.kill(pid, signal.SIGTERM)
        until(lambda: (tmp_path / "log").read_text().endswith("ended by SIGTERM\n"))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_terminal_that_closes_ends_its_foreground(tmp_path: Path) -> None:
    pid, leader = pty.fork()
    if pid == 0:
        heed_signals_again()
        os.execv(sys.executable, [sys.executable, "-c", COMMAND, str(tmp_path / "count")])
    until(lambda: count(tmp_path / "count"))
    os.close(leader)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_what_lost_its_terminal_goes_on(tmp_path: Path) -> None:
    """In the background and disowned: no signal comes, and what it writes goes nowhere."""
    leader, follower = pty.openpty()
    with started(COMMAND, tmp_path / "count", stdout=follower, stderr=follower, start_new_session=True) as process:
        os.close(follower)
        until(lambda: count(tmp_path / "count"))
        os.close(leader)
        seen = count(tmp_path / "count")
        until(lambda: count(tmp_path / "count") > seen + 3)
        process.terminate()
        assert process.wait(PATIENCE) == 0
