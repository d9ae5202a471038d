"""Named places do nothing unless they are told to, and then what they are told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import crash_points
from ledger.crash_points import POINTS, VARIABLE, Crashed, armed, reach

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parent.parent.parent
SCRIPT = "from ledger.crash_points import reach\nfor _ in range(3): reach('outbox.sent'); print('passed', flush=True)"


def run(setting: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    environment |= {} if setting is None else {VARIABLE: setting}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_the_variable_nothing_happens() -> None:
    assert crash_points._armed is None
    for point in POINTS:
        reach(point)
    assert run(None).stdout.count("passed") == 3
    assert run("").stdout.count("passed") == 3


@pytest.mark.parametrize(
    ("setting", "passed", "status"),
    [
        ("outbox.sent:kill", 0, -9),
        ("outbox.sent:kill:3", 2, -9),
        ("outbox.sent:raise:2", 1, 1),
        ("outbox.mined:kill", 3, 0),
    ],
)
def test_the_variable_names_point_action_and_which_time(setting: str, passed: int, status: int) -> None:
    done = run(setting)
    assert (done.stdout.count("passed"), done.returncode) == (passed, status)


def test_a_hanging_process_stands_still() -> None:
    environment = os.environ | {VARIABLE: "outbox.sent:hang:2"}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "passed\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.kill()
    assert process.stdout.read() == ""
    process.wait()


@pytest.mark.parametrize("setting", ["outbox.nowhere:kill", "outbox.sent:explode", "outbox.sent"])
def test_a_setting_that_means_nothing_stops_the_process_at_once(setting: str) -> None:
    done = run(setting)
    assert (done.returncode, done.stdout) == (1, "")


def test_an_armed_crash_point_acts_once_or_always_until_disarmed() -> None:
    calls: list[str] = []
    with armed("outbox.sent", lambda: calls.append("second"), nth=2):
        for _ in range(4):
            reach("outbox.sent")
            reach("outbox.mined")
    with armed("outbox.sent", lambda: calls.append("each"), nth=0):
        reach("outbox.sent")
        reach("outbox.sent")
    reach("outbox.sent")
    assert calls == ["second", "each", "each"]
    with armed("outbox.sent", "raise"), pytest.raises(Crashed):
        reach("outbox.sent")


def test_the_listed_points_are_those_that_the_ledger_reaches() -> None:
    reached = {
        name
        for source in (ROOT / "ledger").rglob("*.py")
        for name in re.findall(r'reach\("([a-z.-]+)"\)', source.read_text())
    }
    assert reached == set(POINTS)
