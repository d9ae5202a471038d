"""Calls that people write: by the ABI's own names and types, and every power of the holders is one of them."""

from __future__ import annotations

from typing import Any

import pytest
from eth_typing.abi import ABIFunction
from eth_utils.abi import abi_to_signature, filter_abi_by_type, get_abi_input_names, get_abi_input_types
from hypothesis import given, settings
from hypothesis import strategies as st
from web3 import Web3

from contracts.bindings.governor import Action
from contracts.calls.effects import READINGS, preview
from contracts.calls.text import parse_call
from contracts.calls.words import WORDS, contract_names, in_words
from contracts.chain.connection import ContractRejected, connect_devnet, contract_at, load_artifact, rejections
from contracts.errors import BadField
from contracts.ids import Address, as_address
from tests.chains import StillChain
from tests.deployed import PARAMS, deployed, key_of

pytestmark = pytest.mark.unit
CHAIN, DEPLOYMENT = deployed(PARAMS, StillChain)
W3 = connect_devnet(CHAIN)
ANN = key_of("ann").address
MISTYPED = ANN[:-1] + ("1" if ANN[-1] != "1" else "2")
BATCH, WORD = "ModelTimelock.executeBatch", "0x" + "1" * 64
HOLDERS = {
    "AccessControlUnauthorizedAccount",
    "ModelRegistryNotTimelock",
    "GovernorOnlyExecutor",
    "TimelockUnauthorizedCaller",
}
"""Errors that tell a stranger that a function is the timelock's alone."""
GOVERNORS = {"schedule", "scheduleBatch", "cancel"}
"""Of the timelock: the governor's own, by what holders pass."""


def parsed(text: str) -> Action:
    return parse_call(W3, DEPLOYMENT, text)


def test_a_call_is_what_the_contract_encodes() -> None:
    token = contract_at(W3, "ModelToken", DEPLOYMENT.token).functions
    assert parsed(f"ModelToken.setBudget minter={ANN} budget=5") == Action.of(token.setBudget(ANN, 5))
    assert parsed(f"ModelToken.setBudget budget=5 minter={ANN.lower()}") == Action.of(token.setBudget(ANN, 5))
    assert parsed("ModelToken.setMintingPaused paused=true") == Action.of(token.setMintingPaused(True))
    models = contract_at(W3, "ModelRegistry", DEPLOYMENT.model_registry).functions
    model, digest = DEPLOYMENT.model, "0x" + "ab" * 32
    text = f"ModelRegistry.recordRelease model={model} version='1.0 final' digest={digest} licence=MIT"
    expected = models.recordRelease(bytes.fromhex(model[2:]), "1.0 final", b"\xab" * 32, "MIT")
    assert parsed(text) == Action.of(expected)


def test_the_treasury_pays_in_any_money() -> None:
    money = key_of("money").address
    paid = parsed(f"Currency@{money}.transfer to={ANN} value=7")
    assert (paid.target, in_words(W3, DEPLOYMENT, paid).words) == (
        money,
        f"pay 7 units to {ANN}, if {money} is an ERC-20",
    )
    coins = parsed(f"Coins.send to={ANN} wei=9")
    assert coins == Action(ANN, b"", 9)
    assert in_words(W3, DEPLOYMENT, coins).words == f"send 0.000000000000000009 coins to {ANN}"
    assert "ERC-20" not in in_words(W3, DEPLOYMENT, Action(money, paid.data + b"\0")).words
    assert "ERC-20" not in in_words(W3, DEPLOYMENT, Action(money, paid.data, 1)).words


WRONG = {
    "no-currency": (f"Currency@0x12.transfer to={ANN} value=7", "currency must be an address"),
    "coins-of-nobody": ("Coins.send wei=9", r"takes \(to: address, wei: uint256\)"),
    "no-contract": ("Token.setBudget minter=1 budget=1", "contract must be one of"),
    "no-function": ("ModelToken.print amount=1", "ModelToken has no print; it has"),
    "a-view": ("ModelToken.balanceOf account=1", "has no balanceOf"),
    "missing-argument": (f"ModelToken.setBudget minter={ANN}", r"takes \(minter: address, budget: uint256\)"),
    "unknown-argument": (f"ModelToken.setBudget minter={ANN} budget=1 more=1", "given are minter, budget, more"),
    "argument-twice": (f"ModelToken.setBudget minter={ANN} budget=1 budget=2", "once: budget=2"),
    "no-value": (f"ModelToken.setBudget minter={ANN} budget", "must be name=value"),
    "no-address": ("ModelToken.setBudget minter=0x12 budget=1", "minter must be an address"),
    "mistyped-address": (f"ModelToken.setBudget minter={MISTYPED} budget=1", "checksum"),
    "negative": (f"ModelToken.setBudget minter={ANN} budget=-1", "must be a whole number"),
    "a-fraction": (f"ModelToken.setBudget minter={ANN} budget=1.5", "must be a whole number"),
    "many-digits": (f"ModelToken.setBudget minter={ANN} budget={'9' * 30_000}", "must be a whole number"),
    "too-large": (f"ModelGovernor.setVotingPeriod newVotingPeriod={2**32}", "at most 32 bits"),
    "no-truth": ("ModelToken.setMintingPaused paused=yes", "must be true or false"),
    "short-bytes": ("ModelRegistry.recordCheckpoint model=0x12 round=1 digest=0x12", "must be 32 bytes"),
    "no-bytes": ("ModelRegistry.recordCheckpoint model=12 round=1 digest=0x12", "0x and hex digits"),
    "open-quote": ("ModelToken.setBudget 'minter", "must be written as"),
    "nothing": ("", "must be written as|not enough|contract must be"),
    "a-megabyte": ("x" * 10**6, "at most 40000 characters"),
    "an-array": (f"{BATCH} targets=1 values=1 payloads=1 predecessor=0x salt=0x", "cannot be written"),
    "no-text": (f"ModelRegistry.recordRelease model={WORD} version=\udcff digest={WORD} licence=a", "no UTF-8 text"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_what_would_be_right(name: str) -> None:
    text, problem = WRONG[name]
    with pytest.raises(BadField, match=problem):
        parsed(text)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text(max_size=60).map(lambda t: f"ModelToken.setBudget minter={ANN} budget={t}"))
def test_any_text_is_a_call_or_is_refused(text: str) -> None:
    try:
        action = parsed(text)
    except BadField:
        return
    assert in_words(W3, DEPLOYMENT, action).function


def _sample(kind: str) -> Any:
    if kind.endswith("[]"):
        return []
    plain = {"address": ANN, "bool": True, "string": "x", "bytes": b""}
    return plain.get(kind, b"\1" * 32 if kind.startswith("bytes") else 1)


def _asks_for_the_holders(contract: str, address: Address, entry: ABIFunction) -> bool:
    function = contract_at(W3, contract, address).get_function_by_signature(abi_to_signature(entry))
    try:
        with rejections():
            function(*map(_sample, get_abi_input_types(entry))).call({"from": ANN})
    except ContractRejected as error:
        return error.error in HOLDERS
    except Exception:
        return False
    return False


def test_every_power_of_the_holders_has_its_words() -> None:
    """Asked of the contracts themselves: whatever they refuse to a stranger for not being the timelock."""
    found = set()
    for address, contract in contract_names(DEPLOYMENT).items():
        for entry in filter_abi_by_type("function", load_artifact(contract)["abi"]):
            if entry["stateMutability"] in ("view", "pure"):
                continue
            if any("tuple" in part["type"] for part in entry.get("inputs", ())):
                continue
            if _asks_for_the_holders(contract, as_address(address), entry) and entry["name"] not in GOVERNORS:
                found.add(f"{contract}.{entry['name']}")
    assert len(found) > 15
    assert found - WORDS.keys() == set()


def test_a_preview_reads_the_present_value_and_the_outcome() -> None:
    seen = preview(W3, DEPLOYMENT, parsed("VerifierRegistry.setThreshold threshold_=3"))
    assert (seen.reads, seen.now, seen.refused) == ("VerifierRegistry.threshold", str(PARAMS.threshold), "")
    seen = preview(W3, DEPLOYMENT, parsed("VerifierRegistry.setThreshold threshold_=9"))
    assert "VerifierSetThresholdOutOfRange" in seen.refused
    seen = preview(W3, DEPLOYMENT, parsed(f"ModelToken.transfer to={ANN} value=1"))
    assert (seen.now, "ERC20InsufficientBalance" in seen.refused) == ("0", True)
    assert preview(W3, DEPLOYMENT, Action(ANN, b"\1\2")).reads == ""


@pytest.mark.parametrize("name", READINGS)
def test_every_reading_is_a_getter_with_arguments_of_the_call(name: str) -> None:
    contract, function = name.split(".")
    getter, names = READINGS[name]
    functions = filter_abi_by_type("function", load_artifact(contract)["abi"])
    inputs = {entry["name"]: get_abi_input_names(entry) for entry in functions}
    assert set(names) <= {*inputs[function], "@timelock"}
    assert len(inputs[getter]) == len(names)
    assert Web3.is_address(DEPLOYMENT.timelock)
