"""A server that is given two chain nodes: nothing is credited on the word of one that differs, or of one alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from contracts.chain.connection import connect, contract_at, send
from contracts.evm.errors import ChainUnavailable, NodesDisagree
from ledger.chain import ModelChain
from ledger.chainread import indexer, reorgs
from ledger.clock.keeper import Outages
from ledger.context import Ledger
from tests.contracts.evm.weather import Gust, GustyNode, serving
from tests.house import House
from tests.ledger.chainread.test_indexer import cursor, events, propose_epoch

pytestmark = pytest.mark.integration

Handle = Callable[[Mapping[str, Any]], Any]


def liar(honest: Handle, method: str, change: Callable[[Any], Any]) -> Handle:
    """The same node with other answers to a method."""

    def handle(request: Mapping[str, Any]) -> Any:
        answer = honest(request)
        return {**answer, "result": change(answer["result"])} if request["method"] == method else answer

    return handle


def two(house: House, stack: ExitStack, *nodes: GustyNode) -> Ledger:
    """The house's ledger on these nodes."""
    urls = [stack.enter_context(serving(node)) for node in nodes]
    return replace(house.ledger, chain=ModelChain(connect(*urls, patience=0.0), house.ledger.chain.deployment))


def something_new(house: House) -> tuple[int, int]:
    """One event that is not credited yet; how many are, and up to which block."""
    propose_epoch(house)
    indexer.follow(house.ledger)
    before, at = len(events(house)), cursor(house).block
    token = contract_at(house.place.w3, "ModelToken", house.ledger.chain.deployment.token)
    send(house.place.w3, house.creator, token.functions.transfer(house.creator.address, 0))
    return before, at


LIES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "no logs": ("eth_getLogs", lambda _logs: []),
    "another amount": ("eth_getLogs", lambda logs: [{**log, "data": "0x" + "07" * 32} for log in logs]),
    "another time": ("eth_getBlockByNumber", lambda block: block and {**block, "timestamp": "0x1"}),
    "another block": ("eth_getBlockByNumber", lambda block: block and {**block, "hash": "0x" + "07" * 32}),
    "another chain": ("eth_chainId", lambda _id: "0x7"),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("first", [True, False], ids=["the first lies", "the second lies"])
def test_what_one_of_two_nodes_says_alone_is_not_credited(
    house: House, lie: str, first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    before, at = something_new(house)
    honest = house.place.chain.handle
    nodes = [GustyNode(honest), GustyNode(liar(honest, *LIES[lie]))]
    with ExitStack() as stack:
        ledger = two(house, stack, *(nodes[::-1] if first else nodes))
        if lie == "another chain":
            with pytest.raises(NodesDisagree):
                ledger.chain.w3.eth.chain_id  # noqa: B018
            return
        outages = Outages()
        for _ in range(3):
            outages.guarded(partial(indexer.follow, ledger), "ledger.chainread.indexer.follow")
            outages.guarded(partial(reorgs.track, ledger), "ledger.chainread.reorgs.track")
        assert (len(events(house)), cursor(house).block) == (before, at)
        told = [record for record in caplog.records if "chain-nodes-disagree" in record.getMessage()]
        assert told
        assert not [record for record in caplog.records if record.exc_info]
        nodes[1].handle = honest
        outages.guarded(partial(indexer.follow, ledger), "ledger.chainread.indexer.follow")
    assert cursor(house).block > at
    assert len(events(house)) == before + 1


def test_one_of_two_nodes_away_stops_credits_and_no_reading(house: House) -> None:
    _, at = something_new(house)
    honest, away = GustyNode(house.place.chain.handle), GustyNode(house.place.chain.handle, lambda _: Gust(502))
    with ExitStack() as stack:
        ledger = two(house, stack, honest, away)
        with pytest.raises(ChainUnavailable, match="one answers"):
            indexer.follow(ledger)
        assert ledger.chain.head() == house.ledger.chain.head()
        away.weather = lambda _: None
        indexer.follow(ledger)
    assert cursor(house).block > at
