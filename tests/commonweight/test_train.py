"""`model train`: what its options come to in the manifest that the server keeps."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.commonweight.conftest import Command
from tests.commonweight.test_network import CREATOR, Network, network, refused

pytestmark = pytest.mark.integration

__all__ = ["network"]  # the fixture, a chain and its API

TINY = '{"layers": 1, "d_model": 16, "heads": 2, "context": 16, "steps": 8, "segment": 2, "batch": 4}'


@pytest.fixture
def train(network: Network, tmp_path: Path) -> tuple[object, ...]:
    text = tmp_path / "text.txt"
    text.write_text("some text to train on, and more of it\n" * 5000)
    reached = ("--keystore", network.key(CREATOR), "--api", network.api, "--data", text)
    return ("model", "train", *reached, "--config", TINY, "--emission", 1000)


@pytest.mark.parametrize(
    ("options", "floor", "stake"),
    [((), 1_000_000, "0"), (("--audit-floor", "0.2", "--node-stake", 10**18, "--nonce", 2), 200_000, str(10**18))],
    ids=["default", "given"],
)
def test_the_audit_rule_stands_in_the_manifest(
    commonweight: Command,
    network: Network,
    train: tuple[object, ...],
    options: tuple[object, ...],
    floor: int,
    stake: str,
) -> None:
    said = commonweight(*train, *options)
    assert said.status == 0, said.err
    with urllib.request.urlopen(f"{network.api}/v1/runs/{said.out.strip()}") as answer:
        manifest = json.load(answer)["manifest"]
    assert (manifest["auditFloor"], manifest["nodeStake"]) == (floor, stake)


def test_a_lower_floor_without_a_stake_is_refused(commonweight: Command, train: tuple[object, ...]) -> None:
    assert "nodeStake" in refused(commonweight(*train, "--audit-floor", "0.2"), "bad-field")
