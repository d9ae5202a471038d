"""`commonweight receipt`: saved from server and mirrors once, checked where there is no network, and on the chain."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from contracts.chain.connection import connect
from contracts.tlog.policy_text import format_policy
from tests.commonweight.conftest import Command
from tests.commonweight.reading.town import AUTHOR, CHEAT, EMISSION, HONEST, MAINTAINERS, Town, wallet_of
from tests.deployed import key_of
from tests.holds import Threat, holds
from verifier.log.auditing import Audit, Auditor

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def policy(place: Town, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whose heads count, by an audit."""
    made = Audit(Auditor(place.stage.deployment, place.stage.api, connect(place.stage.rpc)))
    made.run().require()
    path = tmp_path_factory.mktemp("policy") / "verifiers"
    path.write_bytes(format_policy(made.policy()))
    return path


def save(place: Town, commonweight: Command, account: str, out: Path) -> str:
    said = commonweight("receipt", "save", account, "--api", place.stage.api, "--out", out)
    assert said.status == 0, said.err
    return said.out.strip()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_honest_work_is_checked_without_a_network(
    place: Town, policy: Path, commonweight: Command, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    file, wallet = tmp_path / "mine.json", wallet_of(HONEST)
    said = save(place, commonweight, wallet, file)
    assert said == f"{file}: 6 log entries and 1 payouts of {wallet} in epoch 1"
    request.getfixturevalue("offline")
    checked = commonweight("receipt", "check", file, "--deployment", place.deployment, "--policy", policy)
    assert checked.status == 0, checked.err
    assert checked.out.count(", posted (0x") == 2
    assert "holds        payout: " in checked.out
    assert checked.out.count("not checked") == 2
    alone = json.loads(commonweight("receipt", "check", file, "--json").out)
    assert len(alone["unchecked"]) == 4
    assert commonweight("receipt", "policy", file).out == policy.read_text()


def test_a_cheats_receipt_says_why_it_is_not_paid(
    place: Town, policy: Path, commonweight: Command, tmp_path: Path
) -> None:
    file = tmp_path / "cheat.json"
    save(place, commonweight, wallet_of(CHEAT), file)
    said = commonweight("receipt", "check", file, "--deployment", place.deployment, "--policy", policy)
    assert said.status == 0, said.err
    assert said.out.count("voided for replay-mismatch: at fault (replay-mismatch)") == 2
    assert f"holds        payout: none for {wallet_of(CHEAT)}" in said.out


def test_code_is_paid_and_the_chain_says_so(place: Town, policy: Path, commonweight: Command, tmp_path: Path) -> None:
    file = tmp_path / "author.json"
    save(place, commonweight, AUTHOR, file)
    chain = ("--deployment", place.deployment, "--policy", policy, "--rpc-url", place.stage.rpc)
    said = commonweight("receipt", "check", file, *chain)
    assert said.status == 0, said.err
    assert "contribution: https://example.org/model.git " in said.out
    signers = ", ".join(sorted(key_of(name).address for name in MAINTAINERS))
    assert f"weight 5, vouched for by {signers}: maintainers by entry " in said.out
    assert "of whom it takes 2" in said.out
    assert "chain: epoch 1 is final there, with this root and this log" in said.out
    assert said.out.count("not checked") == 1
    amount = int(json.loads(file.read_text())["payouts"][0]["amount"])
    assert amount == EMISSION * 15 // (15 + 70)  # there were no data, so that their share went to both


@holds(
    "A receipt proves work and pay without the server",
    by="verifier/receipt/checking.py:check_receipt",
    against=Threat.SILENT_SERVER,
)
def test_a_changed_receipt_is_refused_with_its_code(
    place: Town, policy: Path, commonweight: Command, tmp_path: Path
) -> None:
    file = tmp_path / "mine.json"
    save(place, commonweight, wallet_of(HONEST), file)
    body = json.loads(file.read_text())
    body["payouts"][0]["amount"] = "1001"
    file.write_text(json.dumps(body))
    said = commonweight("receipt", "check", file, "--deployment", place.deployment, "--policy", policy)
    assert (said.status, said.err.split(":")[0]) == (1, "receipt-payout-unproven")
    file.write_text("not a receipt")
    assert commonweight("receipt", "check", file).err.split(":")[0] == "receipt-malformed"


def test_who_did_nothing_has_no_receipt(place: Town, commonweight: Command, tmp_path: Path) -> None:
    stranger = key_of("stranger").address
    said = commonweight("receipt", "save", stranger, "--api", place.stage.api, "--out", tmp_path / "none.json")
    assert (said.status, said.err.split(":")[0]) == (1, "not-found")
    assert not (tmp_path / "none.json").exists()
