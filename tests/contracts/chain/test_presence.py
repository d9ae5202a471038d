"""A chain without the model: said by name, before anything is read of it or sent to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from web3 import Web3

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect_devnet, send
from contracts.chain.deployment import Deployment
from contracts.chain.presence import ChainOther, ChainWithoutContract, require_present
from contracts.devnet.chain import Devnet
from tests.chains import twin
from tests.deployed import PARAMS, deployed, verifier_keys

pytestmark = pytest.mark.unit


@pytest.fixture
def model() -> tuple[Web3, Deployment]:
    chain, place = deployed(PARAMS, Devnet)
    return connect_devnet(twin(chain)), place


@pytest.fixture
def started_empty() -> Web3:
    return connect_devnet(Devnet([verifier_keys()[0].address]))


def test_the_models_chain_is_present(model: tuple[Web3, Deployment]) -> None:
    require_present(*model)


def test_a_chain_of_another_id_is_named_with_both(model: tuple[Web3, Deployment]) -> None:
    w3, place = model
    with pytest.raises(ChainOther, match=rf"answers for chain {place.chain_id}.* on chain 5: check --rpc-url"):
        require_present(w3, replace(place, chain_id=5))


def test_a_chain_that_was_started_empty_is_named(model: tuple[Web3, Deployment], started_empty: Web3) -> None:
    with pytest.raises(ChainWithoutContract, match=rf"no contract code at {model[1].model_registry} on chain 31337"):
        require_present(started_empty, model[1])


def test_a_call_of_a_contract_that_is_not_there_says_so(model: tuple[Web3, Deployment], started_empty: Web3) -> None:
    with pytest.raises(ChainWithoutContract, match="is this the chain of the deployment"):
        VerifierRegistry(started_empty, model[1].verifier_registry).threshold()


def test_no_coins_go_to_an_address_without_a_contract(model: tuple[Web3, Deployment], started_empty: Web3) -> None:
    (verifier, *_), registry = verifier_keys(), model[1].verifier_registry
    before = started_empty.eth.get_balance(verifier.address)
    with pytest.raises(ChainWithoutContract):
        send(started_empty, verifier, VerifierRegistry(started_empty, registry).stake(), value=PARAMS.min_stake)
    assert started_empty.eth.get_balance(verifier.address) == before
    assert started_empty.eth.get_balance(Web3.to_checksum_address(registry)) == 0
