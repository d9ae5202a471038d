"""From `commonweight market join` to an accepted proof: a provider whose machine really runs the script it is given."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from commonweight.market.renting.journal import Journal
from commonweight.market.renting.rental import Standing
from tests.commonweight.market.stand_ins.stand_in import standing
from tests.commonweight.market.stand_ins.vast import Answer, VastStandIn
from tests.service.stage import Stage, staged, wallet
from tests.sources import ROOT

pytestmark = pytest.mark.integration
SITE = Path(sys.executable).parent.parent / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"


@dataclass
class Host(VastStandIn):
    """Runs the script of each rented machine as a process group of its own, until the machine is ended."""

    folder: Path = field(default_factory=Path)
    groups: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def _rent(self, ask: int, body: dict[str, Any]) -> Answer:
        answer = super()._rent(ask, body)
        if answer[0] == 200:
            self._boot(str(answer[1]["new_contract"]), body["onstart"])
        return answer

    def _destroy(self, name: str) -> Answer:
        self.halt(name)
        return super()._destroy(name)

    def halt(self, name: str) -> None:
        """Everything on the machine ends."""
        group = self.groups.pop(name, None)
        if group is not None:
            with suppress(ProcessLookupError):
                os.killpg(group.pid, signal.SIGKILL)
            group.wait()

    def _boot(self, name: str, script: str) -> None:
        place = self.folder / name
        place.mkdir()
        (place / "onstart.sh").write_text(script)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("COMMONWEIGHT_")}
        given = {
            "COMMONWEIGHT_MARKET_HOME": str(place),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}:{SITE}",  # what pip would install is there
        }
        with (place / "out").open("wb") as out:
            self.groups[name] = subprocess.Popen(
                ["bash", "onstart.sh"], cwd=place, env=clean | given, stdout=out, stderr=out, start_new_session=True
            )
        self.run(name)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    (tmp_path / "stage").mkdir()
    with staged(tmp_path / "stage") as stage:
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        stage.open_run(rounds=1, nodes=1)
        for number in range(3):
            stage.start(f"verifier {number}", stage.verifier(number).run)
        yield stage


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "machines").mkdir()
    host = Host(folder=tmp_path / "machines")
    with standing(host):
        yield host
        for name in list(host.groups):
            host.halt(name)


def test_a_rented_machine_trains_and_ends_with_the_run(stage: Stage, host: Host, tmp_path: Path) -> None:
    done = subprocess.run(
        _command(stage, tmp_path),
        env=os.environ | _settings(host, tmp_path),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    outputs = "\n".join((place / "out").read_text()[-3000:] for place in host.folder.iterdir())
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{outputs}"
    events = [json.loads(line).get("event") for line in done.stdout.splitlines()]
    assert [event for event in events if event in ("rented", "proved", "over")][:2] == ["rented", "proved"]
    assert (host.launches, dict(host.rented), host.groups) == (1, {}, {})
    (rental,) = Journal(tmp_path / "market" / "journal.db").rentals()
    assert rental.standing is Standing.ENDED
    lines = stage.client.get(f"/runs/{stage.run}/proofs")
    assert [(line["node"], line["payout"], line["state"]) for line in lines] == [
        (rental.nodes[0], wallet("renter"), "posted")
    ]
    secret = (tmp_path / "market" / "keys" / "vast").read_text().strip()
    journal = (tmp_path / "market" / "journal.db").read_bytes()
    assert secret not in done.stdout + done.stderr
    assert secret.encode() not in journal


def _settings(host: Host, folder: Path) -> dict[str, str]:
    keys = folder / "market" / "keys"
    keys.mkdir(parents=True)
    (keys / "vast").write_text(host.key)
    (keys / "vast").chmod(0o600)
    return {"COMMONWEIGHT_MARKET_VAST_URL": host.url, "PYTHONPATH": str(ROOT)}


def join_options(stage: Stage, folder: Path) -> dict[str, str]:
    """Options of `market join` at Vast.ai's stand-in; its drain takes no time."""
    deployment = folder / "deployment.json"
    deployment.write_text(stage.deployment.to_json())
    return {
        "--payout": wallet("renter"),
        "--budget": "50USD",
        "--hours": "2",
        "--deployment": str(deployment),
        "--package": "commonweight",
        "--api": stage.api,
        "--drain": "0",
        "--look": "1",
        "--provider": "vast",
    }


def _command(stage: Stage, folder: Path) -> list[str]:
    options = join_options(stage, folder) | {
        "--device": "cpu",
        "--folder": str(folder / "market"),
        "--node-option": f"--data={stage.text}",
    }
    words = [word for pair in options.items() for word in pair]
    return [sys.executable, "-m", "commonweight", "market", "join", stage.run, *words, "--steady", "--json"]
