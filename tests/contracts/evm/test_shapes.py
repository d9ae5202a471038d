"""A model on a chain in the shape of each family of networks: checked, read, and sent to, all through `connect`."""

from __future__ import annotations

from typing import Any, cast

import pytest

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect, send
from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer
from contracts.evm.fees import market
from contracts.genesis.check import check_genesis
from contracts.protocol.chain.reading import ChainReader
from tests.contracts.evm.shaped import SHAPES, Shaped
from tests.contracts.protocol.chain.test_reading import FollowedModel

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_lives_on_every_kind_of_chain(shape: str) -> None:
    followed = FollowedModel.fresh()
    with DevnetServer(cast(Devnet, Shaped(followed.chain, shape)), "127.0.0.1", 0, 3600.0) as server:
        w3 = connect(server.url)
        check_genesis(w3, followed.deployment)
        sent = send(w3, followed.verifiers[0], VerifierRegistry(w3, followed.registry.address).stake(), value=7)
        assert sent["blockNumber"] == followed.head()
        full: Any = w3.eth.get_block(followed.head(), full_transactions=True)
        assert full["transactions"][-1]["hash"] == sent["transactionHash"]
        assert (full["transactions"][-1]["from"], full["transactions"][-1]["nonce"]) == (
            followed.verifiers[0].address,
            1,
        )
        read = ChainReader(w3, followed.deployment)
        assert read.block(followed.state, followed.head()) == followed.reader.block(followed.state, followed.head())


def test_a_chain_without_base_fees_is_paid_a_price() -> None:
    followed = FollowedModel.fresh()
    with DevnetServer(cast(Devnet, Shaped(followed.chain, "ethereum-classic")), "127.0.0.1", 0, 3600.0) as server:
        w3 = connect(server.url)
        price = int(w3.eth.gas_price)
        offer = market(w3)
        assert offer is not None
        assert offer.fields() == {"gasPrice": price}
        assert market(w3, price - 1) is None
        raised = offer.raised(offer, 2 * price)
        assert raised is not None
        assert raised.fields()["gasPrice"] * 8 >= price * 9
        send(w3, followed.verifiers[0], VerifierRegistry(w3, followed.registry.address).stake(), value=7)
    mined = followed.w3.eth.get_block(followed.head(), full_transactions=True)["transactions"][0]
    assert cast(Any, mined)["type"] == 0


def test_a_node_that_suggests_no_tip_is_asked_for_its_price() -> None:
    followed = FollowedModel.fresh()
    with DevnetServer(cast(Devnet, Shaped(followed.chain, "filecoin")), "127.0.0.1", 0, 3600.0) as server:
        w3 = connect(server.url)
        offer, base = market(w3), int(w3.eth.get_block("latest")["baseFeePerGas"])
        assert offer is not None
        assert offer.fields() == {
            "type": 2,
            "maxPriorityFeePerGas": int(w3.eth.gas_price) - base,
            "maxFeePerGas": int(w3.eth.gas_price) + base,
        }
