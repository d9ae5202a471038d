"""A chain that was started again without its state: routes that ask it say so, others answer, the keeper goes on."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from contracts.chain.connection import connect_devnet
from contracts.chain.presence import ChainWithoutContract
from contracts.devnet.chain import Devnet
from contracts.protocol.chain.reading import ChainReader
from ledger.chain import ModelChain
from ledger.chainread import indexer
from ledger.clock import keeper
from ledger.context import Ledger
from ledger.intake import blocks
from tests.house import House, check_refused

pytestmark = pytest.mark.integration


@pytest.fixture
def lost(house: House) -> Ledger:
    """The server's chain node, as it is after such a start."""
    blocks.follow(house.ledger)
    w3 = connect_devnet(Devnet([house.operator.address]))
    chain = ModelChain(w3, house.ledger.chain.deployment)
    ledger = replace(house.ledger, chain=chain, reader=ChainReader(w3, chain.deployment))
    house.app.state.ledger = ledger
    return ledger


def test_what_needs_the_chain_answers_503_and_names_it(house: House, lost: Ledger) -> None:
    """Before, each of these was an internal error."""
    answer = house.client.get(f"/v1/relay/{house.creator.address}")
    check_refused(answer, 503, "chain-without-contract")
    assert answer.headers["Retry-After"]
    place = lost.chain.deployment
    assert f"no contract code at {place.token} on chain {place.chain_id}" in answer.json()["detail"]
    unseen = house.get("/network")["unseen"]["detail"]
    assert unseen.startswith(f"not known: no contract code at {place.verifier_registry} on chain {place.chain_id}")
    assert house.client.get("/v1/runs").status_code == 200


def test_every_part_of_the_keeper_names_it_in_one_line(lost: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    for follow in (blocks.follow, indexer.follow):
        with pytest.raises(ChainWithoutContract, match="is this the chain of the deployment"):
            follow(lost)
    with caplog.at_level(logging.WARNING):
        keeper.Outages().guarded(lambda: indexer.follow(lost), "indexer")
    (line,) = caplog.records
    assert line.getMessage().startswith("indexer: chain-without-contract: no contract code at ")
    assert line.exc_info is None
