"""One short run of the whole service, with a cheat and a contribution, whose mirrors go on serving after its end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typer.testing import CliRunner

from commonweight.cli import app
from commonweight.keystore import PASSPHRASE_VARIABLE, write_keystore
from commonweight.model.terms import RunRules, RunText, open_run
from tests.commonweight.conftest import PASSPHRASE
from tests.deployed import key_of
from tests.service.stage import TINY, Stage, staged, wallet
from verifier.proof.fetching import fetch_bundle

HONEST, CHEAT, EMISSION = "ada", "cal", 10**21
MAINTAINERS = ("mia", "mo")
AUTHOR = key_of("the author").address


@dataclass
class Town:
    """The run at its end. `proofs` are those of round 1 by node, `saved` their folders, saved before their epoch was
    final."""

    stage: Stage
    deployment: Path
    contribution: Path
    proofs: dict[str, str]
    saved: dict[str, Path]


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """Play the run, one epoch of two rounds."""
    with staged(folder / "stage") as stage:
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        _open_run(stage)
        for number in range(3):
            stage.start(f"verifier {number}", stage.verifier(number).run)
        stage.start(HONEST, stage.node(HONEST).take_part)
        stage.start(CHEAT, stage.node(CHEAT, cheat="skip-middle").take_part)
        contribution = contribute(stage, folder)
        proofs = stage.wait("the end of round 1's proofs", lambda: _ended(stage), 400)
        saved = {name: folder / "saved" / name for name in proofs}
        for name, proof in proofs.items():
            fetch_bundle(saved[name], proof, stage.deployment, stage.api)
        stage.wait("the run's end", lambda: stage.client.get(f"/runs/{stage.run}")["phase"] == "over", 700)
        yield Town(stage, stage.folder / "deployment.json", contribution, proofs, saved)


def call(*arguments: Any) -> str:
    """A command that must succeed."""
    with patch.dict(os.environ, {PASSPHRASE_VARIABLE: PASSPHRASE}):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def contribute(stage: Stage, folder: Path) -> Path:
    """A commit that both maintainers sign, one after the other, and the author hands in."""
    file = folder / "fix.json"
    place = ("--run", stage.run, "--repo", "https://example.org/model.git", "--commit", "ab" * 20)
    call("contribution", "code", file, *place, "--licence", "Apache-2.0", "--account", AUTHOR, "--weight", 5)
    for name in MAINTAINERS:
        keystore = folder / f"{name}.json"
        write_keystore(keystore, bytes(key_of(name).key), PASSPHRASE, iterations=1)
        said = call("contribution", "sign", file, "--keystore", keystore, "--api", stage.api)
        assert f"{MAINTAINERS.index(name) + 1} of 2 needed maintainers" in said
    answer = json.loads(call("contribution", "submit", file, "--api", stage.api, "--json"))
    assert answer["entry"] > 0
    return file


def _open_run(stage: Stage) -> None:
    maintainers = sorted(key_of(name).address for name in MAINTAINERS)
    config = {**TINY, "rounds": 2, "maintainers": f"2:{','.join(maintainers)}"}
    rules = RunRules(EMISSION, rounds_per_epoch=2, min_nodes=2, beacon_span=8, period_seconds=60, lease_seconds=30)
    stage.run = open_run(stage.api, key_of("creator").key.hex(), config, rules, RunText((stage.text,)))


def _ended(stage: Stage) -> dict[str, str]:
    """Proofs of round 1 by their nodes' names, when each is posted, or void with its fault derived."""
    lines = stage.client.get(f"/runs/{stage.run}/proofs", last=1)
    ended = {line["node"]: line["proof"] for line in lines if line["stage"] in ("posted", "ended")}
    names = {key_of(name).address: name for name in (HONEST, CHEAT)}
    return {names[node]: proof for node, proof in ended.items()} if len(ended) == 2 else {}


def wallet_of(name: str) -> str:
    """Where a node is paid."""
    return wallet(name)
