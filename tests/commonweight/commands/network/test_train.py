"""`model train`: what its options come to in the terms that stand in the log."""

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
        terms = json.load(answer)["manifest"]
    assert (terms["auditFloor"], terms["nodeStake"]) == (floor, stake)


def test_periods_and_profiles_stand_in_the_terms(
    commonweight: Command, network: Network, train: tuple[object, ...]
) -> None:
    other = "0x" + "12" * 32
    options = ("--period-seconds", 90, "--lease-seconds", 15, "--beacon-span", 8, "--profile", other, "--nonce", 3)
    said = commonweight(*train, *options)
    assert said.status == 0, said.err
    with urllib.request.urlopen(f"{network.api}/v1/runs/{said.out.strip()}") as answer:
        terms = json.load(answer)["manifest"]
    assert (terms["periodSeconds"], terms["leaseSeconds"], terms["beaconSpan"]) == (90, 15, 8)
    assert terms["profiles"][1:] == [other]


def test_the_same_options_and_nonce_are_the_same_run(commonweight: Command, train: tuple[object, ...]) -> None:
    """Whenever it is called: no deadline and no clock is in the terms, and a repeat is no refusal."""
    first, second = (commonweight(*train, "--nonce", 5) for _ in range(2))
    assert (first.status, second.status) == (0, 0), second.err
    assert first.out == second.out
    assert commonweight(*train, "--nonce", 6).out != first.out


def test_terms_that_nobody_could_judge_are_refused(commonweight: Command, train: tuple[object, ...]) -> None:
    assert "samples" in refused(commonweight(*train, "--samples", 1, "--nonce", 4), "bad-field")
    assert "max_nodes" in refused(commonweight(*train, "--max-nodes", 101, "--nonce", 4), "not-bound")
