"""Commands of the market as processes that meet or are killed: two at one provider without tags, one in its drain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commonweight.market.renting.journal import Journal
from commonweight.market.renting.rental import Standing
from tests.commonweight.market.stand_ins.akash import AkashStandIn, Bidder, model
from tests.commonweight.market.stand_ins.stand_in import standing
from tests.commonweight.market.stand_ins.vast import Answer, VastStandIn
from tests.service.stage import Stage, staged
from tests.service.test_market import join_options
from tests.sources import ROOT

pytestmark = pytest.mark.integration


class Quick(VastStandIn):
    """Its machines are up at once."""

    def _rent(self, ask: int, body: dict[str, Any]) -> Answer:
        answer = super()._rent(ask, body)
        if answer[0] == 200:
            self.run(str(answer[1]["new_contract"]))
        return answer


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    (tmp_path / "stage").mkdir()
    with staged(tmp_path / "stage") as stage:
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        stage.open_run(rounds=1, nodes=1)
        yield stage


def test_two_at_a_provider_without_tags_take_a_machine_each(tmp_path: Path) -> None:
    """Nothing in its list says whose a machine is: only turns keep the two apart."""
    server = AkashStandIn(models=[model("h100", 2.5)], bidders=[Bidder("akash1p", "3500")])
    terms = ["--budget", "50", "--hours", "1", "--max-price", "3", "--gpu", "H100", "--gpus", "1", "--look", "1"]
    with standing(server):
        own = _own(tmp_path, "akash", server.key, COMMONWEIGHT_MARKET_AKASH_URL=server.url)
        both = [_begun(own, "rent", *terms, "--provider", "akash") for _ in range(2)]
        try:
            _until(lambda: len(_rentals(tmp_path, Standing.RUNNING)) == 2)
            machines = [rental.machine for rental in _rentals(tmp_path)]
            assert sorted(machines) == sorted(server.rented)
            assert len({rental.fleet for rental in _rentals(tmp_path)}) == 2
            both[0].send_signal(signal.SIGINT)
            _ended(both[0])
            assert len(server.rented) == 1, "the other's goes on"
        finally:
            both[1].send_signal(signal.SIGINT)
            _ended(both[1])
        assert server.rented == {}


def test_a_join_killed_in_its_drain_leaves_nothing_billed(stage: Stage, tmp_path: Path) -> None:
    """Its machines would answer what they owe for ten minutes; with nobody left to end them then, a look ends them."""
    server = Quick()
    options = join_options(stage, tmp_path) | {"--drain": "600"}
    words = [word for pair in options.items() for word in pair]
    with standing(server):
        own = _own(tmp_path, "vast", server.key, COMMONWEIGHT_MARKET_VAST_URL=server.url)
        join = _begun(own, "join", stage.run, *words)
        try:
            _until(lambda: _rentals(tmp_path, Standing.RUNNING))
            join.send_signal(signal.SIGINT)
            _until(lambda: _rentals(tmp_path, Standing.ENDING))
            assert len(server.rented) == 1, "it drains"
        finally:
            join.kill()
            join.communicate()
        assert len(server.rented) == 1
        ps = _begun(own, "ps")
        _ended(ps)
        assert dict(server.rented) == {}


def _rentals(folder: Path, *standings: Standing) -> list[Any]:
    file = folder / "market" / "journal.db"
    if not file.is_file():
        return []
    journal = Journal(file)
    try:
        return [rental for rental in journal.rentals() if not standings or rental.standing in standings]
    finally:
        journal.close()


def _own(folder: Path, name: str, key: str, **variables: str) -> dict[str, str]:
    keys = folder / "market" / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    (keys / name).write_text(key)
    (keys / name).chmod(0o600)
    place = {"COMMONWEIGHT_MARKET_FOLDER": str(folder / "market"), "COMMONWEIGHT_HOME": str(folder / "home")}
    return os.environ | {"PYTHONPATH": str(ROOT)} | place | variables


def _begun(own: dict[str, str], *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "commonweight", "market", *words, "--json"]
    return subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _ended(process: subprocess.Popen[str]) -> None:
    try:
        output = process.communicate(timeout=900)
    finally:
        process.kill()  # one that hangs would look at its fleet for ever
    assert process.returncode == 0, output


def _until(ready: Callable[[], Any], seconds: float = 900.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.2)
    return found
