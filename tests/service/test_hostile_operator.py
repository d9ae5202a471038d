"""An operator that drops, loses or forks: the work is paid all the same, nobody honest is void, the fork is named."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from contracts.protocol.log.operator import LogSigner
from tests.deployed import key_of
from tests.holds import Threat, holds
from tests.service.hostile import Deaf, Forgetful, Losing, TwoLogs, serving
from tests.service.stage import Stage, staged
from verifier.service.service import VerifierProcess

pytestmark = pytest.mark.integration
NODES = ("ada", "ben")


class Play:
    """A run of one round in which everybody is honest but the operator."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.verifiers: list[VerifierProcess] = []

    def run(self, deaf_for: str = "", losing: bool = False, forks_for: str = "", forgets: bool = False) -> None:
        """To the end of the run, the server being deaf for one, without bytes or signatures for all, or forking for
        one."""
        stage = self.stage
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        stage.open_run(rounds=1, nodes=len(NODES))
        with ExitStack() as stack:
            plain = stack.enter_context(serving(Losing(stage.app))) if losing else ""
            plain = stack.enter_context(serving(Forgetful(stage.app))) if forgets else plain
            other = {
                deaf_for: stack.enter_context(serving(Deaf(stage.app))) if deaf_for else "",
                forks_for: stack.enter_context(serving(self._forked())) if forks_for else "",
            }
            for number in range(3):
                name = f"verifier {number}"
                self.verifiers.append(stage.verifier(number, other.get(name) or plain, relay_seconds=2.0))
                stage.start(name, self.verifiers[-1].run)
            for name in NODES:
                stage.start(name, stage.node(name, other.get(name) or plain).take_part)
            stage.wait("the run's end", lambda: stage.client.get(f"/runs/{stage.run}")["phase"] == "over", 700)

    def _forked(self) -> TwoLogs:
        return TwoLogs(self.stage.app, LogSigner.of(bytes(key_of("operator").key)), 12)

    def ends(self) -> dict[str, list[str]]:
        """The states of each node's proofs."""
        lines = self.stage.client.get(f"/runs/{self.stage.run}/proofs")
        return {name: [x["state"] for x in lines if x["node"] == key_of(name).address] for name in NODES}

    def paid(self) -> bool:
        """Whether the whole emission is owed, and no stake can be taken."""
        (epoch,) = self.stage.client.get("/epochs")
        return bool(
            epoch["total"] == str(10**21) and epoch["state"] == "final" and not self.stage.client.get("/faults")
        )

    def evidence(self) -> list[Any]:
        """What mirrors show of two logs."""
        found: list[Any] = []
        for verifier in self.verifiers:
            with urllib.request.urlopen(f"{verifier.url}/mirrors", timeout=20) as answer:
                found += json.load(answer)["evidence"]
        return found


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    with staged(tmp_path) as stage:
        yield Play(stage)


@pytest.mark.parametrize("name", [pytest.param("ada", marks=pytest.mark.long), "verifier 0"])
def test_a_server_that_hears_nothing_from_one_harms_nobody(play: Play, name: str) -> None:
    play.run(deaf_for=name)
    assert play.ends() == {"ada": ["posted"], "ben": ["posted"]}
    assert play.paid()


def test_a_server_that_loses_every_blob_harms_nobody(play: Play) -> None:
    play.run(losing=True)
    assert play.ends() == {"ada": ["posted"], "ben": ["posted"]}
    assert play.paid()


def test_two_logs_are_named_and_harm_nobody(play: Play) -> None:
    """The fork is shown to one verifier; the two others are k."""
    play.run(forks_for="verifier 0")
    assert play.ends() == {"ada": ["posted"], "ben": ["posted"]}
    assert play.paid()
    assert play.evidence()


@holds(
    "k signatures reach the chain, whatever the server does with them",
    by="verifier/quorum/bringing.py:Bringer.step",
    against=Threat.SILENT_SERVER,
)
@pytest.mark.long
def test_a_server_that_drops_every_signature_stops_no_payment(play: Play) -> None:
    """k verifiers gather them from each other, and bring the root to the chain themselves."""
    play.run(forgets=True)
    play.stage.wait("the epoch", play.paid)
    assert play.stage.client.get("/epochs")[0]["signatures"] == [], "the server has none"
