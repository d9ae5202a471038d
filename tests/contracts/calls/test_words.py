"""Calls in words: never a name that the bytes do not carry, and no bytes that end it."""

from __future__ import annotations

import pytest
from eth_utils.abi import filter_abi_by_type, get_abi_input_names
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.bindings.governor import Action
from contracts.calls.words import LONGEST_DATA, LONGEST_READ, WORDS, contract_names, in_words
from contracts.chain.connection import connect_devnet, contract_at, load_artifact
from contracts.chain.deployment import Deployment
from contracts.ids import Address
from tests.chains import StillChain
from tests.deployed import PARAMS, deployed, key_of
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit
CHAIN, DEPLOYMENT = deployed(PARAMS, StillChain)
W3 = connect_devnet(CHAIN)
TARGETS = sorted(contract_names(DEPLOYMENT))
SELECTORS = {
    bytes.fromhex(W3.keccak(text=f"{f['name']}({','.join(i['type'] for i in f['inputs'])})").hex()[:8])
    for name in set(contract_names(DEPLOYMENT).values())
    for f in load_artifact(name)["abi"]
    if f["type"] == "function"
}


def words(action: Action, deployment: Deployment = DEPLOYMENT) -> str:
    return in_words(W3, deployment, action).words


def budget(amount: int = 5) -> Action:
    token = contract_at(W3, "ModelToken", DEPLOYMENT.token)
    return Action.of(token.functions.setBudget(key_of("minter").address, amount))


def test_a_call_of_the_model_is_told_with_its_arguments() -> None:
    call = in_words(W3, DEPLOYMENT, budget())
    assert (call.contract, call.function) == ("ModelToken", "setBudget")
    assert call.arguments == {"minter": key_of("minter").address, "budget": "5"}
    said = "owe 0.000000000000000005 tokens more from now on, or what the cap leaves"
    assert call.words == f"let {key_of('minter').address} {said}"


def test_a_call_too_long_to_be_read_is_shown_as_it_is() -> None:
    """One that names a part two thousand times took 0.8 GB to be told, at every look of anybody."""
    governor = contract_at(W3, "ModelGovernor", DEPLOYMENT.governor)
    long = governor.functions.queue([DEPLOYMENT.token], [0], [b"x" * LONGEST_READ], b"d" * 32)
    call = in_words(W3, DEPLOYMENT, Action.of(long))
    assert (call.function, call.arguments) == ("", {})
    assert len(call.words) < LONGEST_DATA


def test_the_same_bytes_at_another_address_are_bytes() -> None:
    action = budget()
    call = in_words(W3, DEPLOYMENT, Action(key_of("x").address, action.data, 7))
    assert (call.contract, call.function, call.arguments) == ("", "", {})
    assert "0.000000000000000007 coins" in call.words


@holds(
    "A call is described only by what its bytes encode", by="contracts/calls/words.py:in_words", against=Threat.TAKEOVER
)
@pytest.mark.parametrize(
    "change", [lambda d: d + b"\0", lambda d: d[:-1], lambda d: d[:4], lambda d: b"\1" * 4 + d[4:]]
)
def test_bytes_that_do_not_encode_to_themselves_carry_no_name(change: object) -> None:
    """A call with a tail, or with a dirty address, does what its contract makes of it, and not what it reads like."""
    action = budget()
    call = in_words(W3, DEPLOYMENT, Action(action.target, change(action.data)))  # type: ignore[operator]
    assert call.function == ""


def test_long_data_is_cut_and_the_cut_is_told() -> None:
    call = in_words(W3, DEPLOYMENT, Action(key_of("x").address, b"\7" * 100_000))
    assert len(call.data) < LONGEST_DATA + 40
    assert "200002 characters" in call.data


@settings(max_examples=400, deadline=None)
@given(
    target=st.sampled_from(TARGETS),
    selector=st.sampled_from(sorted(SELECTORS)) | st.binary(min_size=0, max_size=4),
    data=st.binary(max_size=300),
    value=st.integers(0, 2**256 - 1),
)
def test_no_bytes_end_it(target: Address, selector: bytes, data: bytes, value: int) -> None:
    call = in_words(W3, DEPLOYMENT, Action(target, selector + data, value))
    assert call.words
    if call.function:
        contract = contract_at(W3, call.contract, target)
        assert contract.get_function_by_selector(selector).fn_name == call.function


def test_every_line_of_words_tells_all_arguments_of_a_function() -> None:
    """A decision without its id read like any other, and used up the one by which an invoice is paid back."""
    for name, template in WORDS.items():
        contract, function = name.split(".")
        functions = filter_abi_by_type("function", load_artifact(contract)["abi"])
        inputs = [set(get_abi_input_names(entry)) for entry in functions if entry["name"] == function]
        asked = {part.split("}")[0].split(":")[0] for part in template.split("{")[1:]}
        assert any(asked == given - {"model"} for given in inputs), name
