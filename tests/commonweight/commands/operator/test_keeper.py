"""`commonweight keeper` in a process of its own, and `commonweight outbox` on what it left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commonweight.keystore import PASSPHRASE_VARIABLE, write_keystore
from contracts.devnet.http import DevnetServer
from ledger.relay import outbox
from ledger.storage.tables import Outgoing
from tests.commonweight.conftest import PASSPHRASE, Command
from tests.house import House
from tests.waiting import until

pytestmark = pytest.mark.integration
PATIENCE = 60.0


def enqueue(house: House, name: str, state: str = "queued", error: str | None = None) -> None:
    """The relayer delegates its (no) votes: a call that harms nothing."""
    with house.ledger.store.write() as session:
        outbox.enqueue(session, name, house.ledger.chain.token.delegate(house.operator.address))
        row = session.get_one(Outgoing, name)
        row.state, row.error, row.tries = state, error, 8 if state == "dead" else 0
        session.add(row)


def state_of(house: House, name: str) -> tuple[str, int]:
    with house.ledger.store.read() as session:
        row = session.get_one(Outgoing, name)
        return row.state, row.tries


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "server")


def test_open_calls_are_listed_and_a_dead_one_says_why(house: House, commonweight: Command) -> None:
    folder = ("--folder", house.folder)
    assert commonweight("outbox", "list", *folder).out == "no call is pending\n"
    enqueue(house, "alive")
    enqueue(house, "gone", "dead", "ModelTokenMintingPaused()")
    enqueue(house, "paid", "final")
    assert commonweight("outbox", "list", *folder).out.splitlines() == [
        "queued    alive",
        "dead      gone    ModelTokenMintingPaused()",
    ]
    every = [json.loads(line) for line in commonweight("outbox", "list", "--all", "--json", *folder).out.splitlines()]
    assert [(line["id"], line["state"], line["error"]) for line in every] == [
        ("alive", "queued", None),
        ("gone", "dead", "ModelTokenMintingPaused()"),
        ("paid", "final", None),
    ]


def test_only_a_call_that_was_given_up_is_tried_again(house: House, commonweight: Command) -> None:
    enqueue(house, "gone", "dead", "ModelTokenMintingPaused()")
    enqueue(house, "paid", "final")
    assert commonweight("outbox", "retry", "gone", "--folder", house.folder).out == "gone is queued again\n"
    assert state_of(house, "gone") == ("queued", 0)
    for call, code in (("paid", "not-dead"), ("nobody", "not-found")):
        said = commonweight("outbox", "retry", call, "--folder", house.folder)
        assert (said.status, said.err.split(":")[0]) == (1, code)
    assert state_of(house, "paid") == ("final", 0)


def test_a_keeper_beside_the_server_sends_what_is_queued(house: House, tmp_path: Path) -> None:
    """It ends when it is told."""
    enqueue(house, "delegate")
    (tmp_path / "deployment.json").write_text(house.place.deployment.to_json())
    write_keystore(tmp_path / "operator.json", bytes(house.operator.key), PASSPHRASE, iterations=1)
    with DevnetServer(house.place.chain, "127.0.0.1", 0, 3600.0) as chain:
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "commonweight",
            "keeper",
            "--only",
            "settlement",
            "--rpc-url",
            chain.url,
            "--deployment",
            tmp_path / "deployment.json",
            "--keystore",
            tmp_path / "operator.json",
            "--folder",
            house.folder,
        ]
        keeper = subprocess.Popen(command, env={**os.environ, PASSPHRASE_VARIABLE: PASSPHRASE})
        try:
            until(lambda: state_of(house, "delegate")[0] == "final")
            keeper.send_signal(signal.SIGTERM)
            assert keeper.wait(PATIENCE) == 0
        finally:
            keeper.kill()
    assert state_of(house, "delegate") == ("final", 0)
    assert house.ledger.chain.token.votes(house.operator.address) == 0
