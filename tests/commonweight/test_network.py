"""Commands against a real chain and a real API over HTTP: what they print, and how they are refused."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from eth_account import Account

from api.app import create_app
from api.settings import ServerSettings
from commonweight.demo.processes import free_port
from commonweight.keystore import write_keystore
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect
from contracts.chain.deployment import Deployment
from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer
from contracts.genesis.check import check_genesis
from contracts.genesis.deploy import deploy_model
from contracts.genesis.params import GenesisParams
from contracts.protocol.log.operator import LogSigner
from tests.commonweight.conftest import PASSPHRASE, Command

pytestmark = pytest.mark.integration

CREATOR, OPERATOR, VERIFIER, STRANGER = (Account.from_key(bytes([n]) * 32) for n in (1, 2, 3, 4))
LOG_KEY = LogSigner.of(bytes(OPERATOR.key)).public.vkey()


@dataclass(frozen=True)
class Network:
    """A chain with a model, its API, and the keystores of those who hold coins."""

    rpc: str
    api: str
    folder: Path

    def key(self, account: object) -> Path:
        return self.folder / f"{account.address}.json"  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    for account in (CREATOR, OPERATOR, VERIFIER, STRANGER):
        write_keystore(folder / f"{account.address}.json", bytes(account.key), PASSPHRASE, iterations=1)
    funded = [account.address for account in (CREATOR, OPERATOR, VERIFIER)]
    with DevnetServer(Devnet(funded), "127.0.0.1", 0, 0.5) as chain:
        params = GenesisParams(voting_delay=1, voting_period=600, late_quorum_extension=0, threshold=1)
        deployment = deploy_model(connect(chain.url), CREATOR, "Shared", "SH", [VERIFIER.address], params, log=LOG_KEY)
        (folder / "deployment.json").write_text(deployment.to_json())
        database = f"sqlite:///{folder / 'ledger.db'}"
        key = bytes(OPERATOR.key).hex()
        settings = ServerSettings(
            rpc_url=chain.url,
            deployment=folder / "deployment.json",
            operator_key=key,
            database_url=database,
            blobs=folder / "blobs",
        )
        with _served(settings) as url:
            yield Network(chain.url, url, folder)


class _served:
    """The API on a free port while the context lasts."""

    def __init__(self, settings: ServerSettings) -> None:
        self._port = free_port()
        self._server = uvicorn.Server(uvicorn.Config(create_app(settings), port=self._port, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        end = time.monotonic() + 30
        while not self._server.started:
            assert time.monotonic() < end, "the API did not start"
            time.sleep(0.05)
        return f"http://127.0.0.1:{self._port}"

    def __exit__(self, *_error: object) -> None:
        self._server.should_exit = True
        self._thread.join()


def test_deploy_and_stake_leave_a_model_without_an_owner(
    commonweight: Command, network: Network, tmp_path: Path
) -> None:
    out = tmp_path / "deployment.json"
    named = ("--name", "Other", "--symbol", "O", "--verifier", VERIFIER.address.lower(), "--out", out)
    reached = ("--rpc-url", network.rpc)
    log_key = commonweight("keys", "log-key", network.key(OPERATOR)).out.strip()
    said = commonweight(
        "model",
        "deploy",
        "--keystore",
        network.key(CREATOR),
        *named,
        *reached,
        "--log-key",
        log_key,
        "--params",
        '{"threshold": 1}',
    )
    assert said.status == 0, said.err
    assert Deployment.from_json(out.read_text()).log == log_key
    deployment, w3 = Deployment.from_json(out.read_text()), connect(network.rpc)
    assert said.out == f"model {deployment.model}\nwritten to {out}\n"
    check_genesis(w3, deployment)
    staked = commonweight(
        "model", "stake", "--keystore", network.key(VERIFIER), "--deployment", out, "--wei", 10**18 + 7, *reached
    )
    has = f"{VERIFIER.address} has 1.000000000000000007 coins at stake as a verifier\n"
    assert (staked.status, staked.out) == (0, f"staked 1.000000000000000007 coins; {has}"), staked.err
    assert VerifierRegistry(w3, deployment.verifier_registry).stake_of(VERIFIER.address) == 10**18 + 7


def test_a_balance_is_read_from_the_chain(commonweight: Command, network: Network) -> None:
    reached = ("--api", network.api, "--rpc-url", network.rpc)
    plain = commonweight("wallet", "balance", STRANGER.address, *reached)
    assert (plain.status, plain.out) == (0, "0 SH (0.00 % of supply), votes 0 SH\n")
    scripted = json.loads(commonweight("wallet", "balance", STRANGER.address.lower(), *reached, "--json").out)
    assert scripted == {"account": STRANGER.address, "units": "0", "votes": "0", "supply": "0", "currency": "SH"}


def test_the_relayer_carries_no_proposal_of_who_holds_nothing(commonweight: Command, network: Network) -> None:
    said = commonweight(
        "gov",
        "propose",
        "--keystore",
        network.key(STRANGER),
        "--description",
        "Slower.",
        "--decide",
        "inner_lr=0.0005",
        "--api",
        network.api,
        "--rpc-url",
        network.rpc,
        "--json",
    )
    assert (said.status, said.out, said.complaint["error"]) == (1, "", "no-votes")
    assert STRANGER.address in said.complaint["detail"]


def test_what_is_listed_where_nothing_was_decided_yet(commonweight: Command, network: Network) -> None:
    for command, nothing in ((("list",), ""), (("list", "--open"), ""), (("decisions",), "")):
        said = commonweight("gov", *command, "--api", network.api, "--json")
        assert (said.status, said.out) == (0, nothing)
    assert commonweight("gov", "list", "--open", "--api", network.api).out == "no proposal is open\n"
    for command in (("show", "7"), ("votes", "7")):
        refused(commonweight("gov", *command, "--api", network.api), "not-found")
    left = json.loads(commonweight("gov", "relay", STRANGER.address, "--api", network.api, "--json").out)
    assert left["gas_left"] == left["gas_a_day"] > 0
    lent = json.loads(commonweight("wallet", "delegation", STRANGER.address, "--api", network.api, "--json").out)
    assert lent == {"account": STRANGER.address, "to": None, "lenders": []}
    said = commonweight(
        "wallet",
        "delegate",
        "--to",
        VERIFIER.address,
        "--keystore",
        network.key(STRANGER),
        "--api",
        network.api,
        "--rpc-url",
        network.rpc,
    )
    refused(said, "no-votes")


def test_calls_are_told_before_they_are_proposed(commonweight: Command, network: Network) -> None:
    reached = ("--api", network.api, "--rpc-url", network.rpc)
    call = f"VerifierRegistry.admit verifier={STRANGER.address}"
    said = commonweight("gov", "simulate", "--call", call, *reached)
    assert said.out.split("\n")[:3] == [
        f"1. admit {STRANGER.address} as a verifier",
        "   now VerifierRegistry.stakeOf is 0",
        "   would go through now",
    ]
    (one,) = commonweight("gov", "simulate", "--call", call, *reached, "--json").objects
    assert (one["call"]["function"], one["refused"]) == ("admit", "")
    refused(commonweight("gov", "simulate", "--call", "VerifierRegistry.admit", *reached), "bad-field")
    said = commonweight(
        "gov", "propose", "--keystore", network.key(STRANGER), "--description", "d", "--call", call, *reached
    )
    refused(said, "no-votes")


def refused(said: object, code: str) -> str:
    """One refusal on stderr with its code, status 1, nothing on stdout; returns its text."""
    assert (said.status, said.out) == (1, "")  # type: ignore[attr-defined]
    assert said.err.startswith(f"{code}: "), said.err  # type: ignore[attr-defined]
    assert "Traceback" not in said.err  # type: ignore[attr-defined]
    return str(said.err)  # type: ignore[attr-defined]


def test_a_claim_from_an_epoch_that_is_not_there(commonweight: Command, network: Network) -> None:
    reached = ("--api", network.api, "--rpc-url", network.rpc)
    said = refused(commonweight("wallet", "claim", STRANGER.address, "--epoch", 9, *reached), "nothing-to-claim")
    assert "This model has no run yet" in said


def test_a_decision_that_nobody_may_make(commonweight: Command, network: Network) -> None:
    said = commonweight(
        "gov",
        "propose",
        "--keystore",
        network.key(STRANGER),
        "--description",
        "d",
        "--decide",
        "steps=9",
        "--api",
        network.api,
        "--rpc-url",
        network.rpc,
    )
    assert said.status == 1
    assert "steps" in said.err


def test_a_configuration_that_no_run_can_have(commonweight: Command, network: Network, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("some text to train on\n" * 5000)
    train = ("model", "train", "--keystore", network.key(CREATOR), "--api", network.api, "--data", text)
    assert "stepz" in refused(commonweight(*train, "--config", '{"stepz": 3}'), "invalid-run-config")


def test_a_contract_that_refuses_says_which_rule(commonweight: Command, network: Network, tmp_path: Path) -> None:
    said = commonweight(
        "model",
        "deploy",
        "--keystore",
        network.key(CREATOR),
        "--name",
        "N",
        "--symbol",
        "N",
        "--verifier",
        VERIFIER.address,
        "--out",
        tmp_path / "d.json",
        "--rpc-url",
        network.rpc,
        "--log-key",
        LOG_KEY,
        "--params",
        '{"threshold": 2}',
    )
    assert "VerifierSetThresholdOutOfRange" in refused(said, "contract-rejected")
    assert not (tmp_path / "d.json").exists()


def test_a_log_key_with_a_mistyped_digit_deploys_nothing(
    commonweight: Command, network: Network, tmp_path: Path
) -> None:
    said = commonweight(
        "model",
        "deploy",
        "--keystore",
        network.key(CREATOR),
        "--name",
        "N",
        "--symbol",
        "N",
        "--verifier",
        VERIFIER.address,
        "--out",
        tmp_path / "d.json",
        "--rpc-url",
        network.rpc,
        "--log-key",
        LOG_KEY[:-3] + "A==",
    )
    refused(said, "invalid-log-key")
    assert not (tmp_path / "d.json").exists()


def test_a_key_without_coins_cannot_deploy(commonweight: Command, network: Network, tmp_path: Path) -> None:
    said = commonweight(
        "model",
        "deploy",
        "--keystore",
        network.key(STRANGER),
        "--name",
        "N",
        "--symbol",
        "N",
        "--verifier",
        VERIFIER.address,
        "--out",
        tmp_path / "d.json",
        "--rpc-url",
        network.rpc,
        "--log-key",
        LOG_KEY,
        "--params",
        '{"threshold": 1}',
    )
    refused(said, "rpc-refused")


def test_no_api_at_the_address(
    commonweight: Command, network: Network, monkeypatch: pytest.MonkeyPatch, keystore: Path
) -> None:
    monkeypatch.setattr("trainer.client.PATIENCE_SECONDS", 0.0)
    nowhere = f"http://127.0.0.1:{free_port()}"
    for arguments in (
        ("wallet", "balance", STRANGER.address, "--rpc-url", network.rpc),
        ("gov", "tally", "7"),
        ("gov", "vote", "7", "for", "--keystore", keystore),
    ):
        assert nowhere in refused(commonweight(*arguments, "--api", nowhere), "api-unreachable")


def test_no_chain_at_the_address(commonweight: Command, network: Network) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    said = commonweight("wallet", "balance", STRANGER.address, "--api", network.api, "--rpc-url", nowhere)
    assert "--rpc-url" in refused(said, "rpc-unreachable")


def test_a_port_that_is_taken(commonweight: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = commonweight("chain", "--port", taken.getsockname()[1])
    assert "is taken by another process" in refused(said, "port-refused")
