"""The whole main job, as a script runs it; and what Ctrl-C leaves behind: nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.commonweight.demo.proc import running_with
from tests.strange_names import STRANGE

pytestmark = [
    pytest.mark.demo,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc"),
]

ROUND_OPEN_SECONDS, END_SECONDS = 60.0, 60.0


def demo(out: Path, *options: str) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "commonweight", "demo", "--seed", "7", "--out", str(out), *options)
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_demo_trains_catches_a_cheat_and_obeys_the_vote(tmp_path: Path) -> None:
    process = demo(tmp_path / STRANGE, "--json")
    try:
        out, err = process.communicate()
    finally:
        process.kill()
    assert process.returncode == 0, err + out[-3000:]
    *story, summary = map(json.loads, out.splitlines())
    assert {said["event"] for said in story} == {"story"}
    assert {"chain", "vote", "claims"} <= {said["topic"] for said in story}
    check_money(summary)
    check_cheat(summary)
    check_training(summary)
    check_vote(summary)
    assert summary["checks"]
    assert all(summary["checks"].values()), summary["checks"]
    assert running_with(str(tmp_path)) == []
    check_report(tmp_path / STRANGE, summary)


def check_money(summary: dict[str, Any]) -> None:
    """What each holds by the chain is what the ledger paid it, and together the supply, to the unit."""
    balances = {name: int(units) for name, units in summary["chain"]["balances"].items()}
    assert {node["name"]: int(node["units"]) for node in summary["nodes"]} == balances
    assert sum(balances.values()) == int(summary["chain"]["supply"]) == int(summary["chain"]["epoch_total"])
    assert int(summary["epoch"]["total"]) == int(summary["chain"]["supply"]) > 0
    assert summary["chain"]["epoch_root"] == summary["epoch"]["root"]
    assert summary["chain"]["epoch_final"]
    assert summary["epoch"]["count"] == sum(units > 0 for units in balances.values()) == 3
    # the run goes on: the root of a later epoch may be on its way when the summary is written
    later = re.compile("(propose-root|finalize):[2-9]")
    awaited = [t for t in summary["transactions"] if not later.match(t["id"])]
    assert {line["state"] for line in awaited} == {"final"}
    assert sum(line["id"].startswith("claim:") for line in awaited) == 3
    check_shares(summary, balances)


def check_shares(summary: dict[str, Any], balances: dict[str, int]) -> None:
    """By verified rounds of the epoch, which are all of the same length; nobody is a unit away from the exact share."""
    posted = [v["node"] for v in summary["verdicts"] if v["state"] == "posted" and v["round"] <= 4]
    assert Counter(posted) == {"ada": 4, "ben": 2, "dee": 3}
    for name, units in balances.items():
        assert abs(units * len(posted) - int(summary["epoch"]["total"]) * posted.count(name)) < len(posted)


def check_cheat(summary: dict[str, Any]) -> None:
    """The cheat was voided in every round it worked in, with a reason, and an error beyond the limit."""
    verdicts = [verdict for verdict in summary["verdicts"] if verdict["node"] == "cal"]
    assert len(verdicts) >= 4
    for verdict in verdicts:
        assert verdict["state"] == "voided"
        assert verdict["reason"]
        assert verdict["error"] > verdict["limit"] >= 0
    cheat = next(node for node in summary["nodes"] if node["name"] == "cal")
    assert (cheat["verified_steps"], cheat["units"]) == (0, "0")
    honest = [verdict for verdict in summary["verdicts"] if verdict["node"] != "cal"]
    assert {verdict["state"] for verdict in honest} == {"posted"}
    for verdict in summary["verdicts"]:
        assert len({word["verifier"] for word in verdict["words"]}) >= 2


def check_training(summary: dict[str, Any]) -> None:
    """The loss fell in every round of the epoch; together is not behind alone; joiner and dead node left no dent."""
    losses = [current["held_out_loss"] for current in summary["rounds"]]
    solo, parallel = summary["baselines"]["solo"], summary["baselines"]["data-parallel"]
    assert len(losses) == len(solo) - 1 == len(parallel) - 1 >= 5
    together = [solo[0], *losses]
    assert all(later < earlier for earlier, later in pairwise(together[:5])), together
    assert solo[0] == parallel[0]
    assert losses[-1] < solo[-1] + 0.02  # how many rounds there are depends on how long the vote takes
    first, second, third = summary["rounds"][:3]
    assert "dee" not in first["nodes"]
    assert "dee" in second["nodes"]
    assert third["lapsed"] == ["ben"]
    assert len({current["theta"] for current in summary["rounds"]}) == len(losses)


def check_vote(summary: dict[str, Any]) -> None:
    """Votes weigh what each holds, API and Governor agree, and the next round's configuration is another."""
    held = {name: int(units) for name, units in summary["chain"]["balances"].items()}
    expected = {"for": held["ada"] + held["dee"], "against": held["ben"], "abstain": 0}
    for source in ("api", "governor"):
        assert {side: int(units) for side, units in summary["tally"][source].items()} == expected
    before, after = summary["rounds"][-2:]
    assert len({current["config_digest"] for current in summary["rounds"][:-1]}) == 1
    assert before["config_digest"] != after["config_digest"]
    assert (before["inner_lr"], after["inner_lr"]) == ("0.001", "0.0005")
    decided = {decision["key"]: decision["value"] for decision in summary["decisions"]}
    assert decided == {"inner_lr": "0.0005"}
    last = len(summary["rounds"])
    assert any(verdict["round"] == last and verdict["state"] == "posted" for verdict in summary["verdicts"])


def check_report(out: Path, summary: dict[str, Any]) -> None:
    told = {"event": "summary", "page": str(out / "report.html")}
    assert json.loads((out / "summary.json").read_text()) | told == summary
    page = (out / "report.html").read_text()
    assert summary["run"] in page
    assert "FAILS" not in page
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_ends_every_process(tmp_path: Path) -> None:
    process = demo(tmp_path / "out")
    try:
        heard = list(_until_round_one(process))
        assert len(running_with(str(tmp_path))) > 1, heard
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=END_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted" in err
    assert running_with(str(tmp_path)) == []


def _until_round_one(process: subprocess.Popen[str]) -> Iterator[str]:
    """Lines of the demo until its first round is open, or a minute of them."""
    assert process.stdout is not None
    end = time.monotonic() + ROUND_OPEN_SECONDS
    for line in process.stdout:
        yield line
        if "round 1" in line or time.monotonic() > end:
            return
