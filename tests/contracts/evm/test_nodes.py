"""One chain node in bad weather, and several: what is asked again, for how long, of whom, and what two have to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from requests.exceptions import HTTPError
from web3 import Web3
from web3.exceptions import BlockNotFound

from contracts.chain.connection import connect
from contracts.devnet.chain import Devnet
from contracts.evm import nodes
from contracts.evm.errors import ChainUnavailable, NodesDisagree, NoFinalBlock
from tests.contracts.evm.weather import Gust, GustyNode, gusts, serving
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration

LIMITED = b'{"jsonrpc": "2.0", "id": 0, "error": {"code": -32005, "message": "daily request count exceeded"}}'
PASSES = {
    "429": Gust(429),
    "429 with a time": Gust(429, headers={"Retry-After": "0"}),
    "408": Gust(408),
    "500": Gust(500),
    "502": Gust(502, b"<html>Bad Gateway</html>"),
    "503": Gust(503),
    "504": Gust(504),
    "a broken connection": Gust(0),
    "a page": Gust(200, b"<html>Sign in</html>"),
    "half an answer": Gust(200, b'{"jsonrpc": "2.0", "resu'),
    "a rate in JSON": Gust(200, LIMITED),
}


class Place:
    """Chains behind addresses."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def node(self, handle: Callable[[Any], Any] | None = None, *weather: Gust | None) -> GustyNode:
        """A node of a chain of its own with three blocks, or of the one behind `handle`."""
        if handle is None:
            chain = Devnet()
            chain.mine(3)
            handle = chain.handle
        return GustyNode(handle, gusts(*weather))

    def reach(self, *found: GustyNode, **options: Any) -> Web3:
        return connect(*(self._stack.enter_context(serving(node)) for node in found), **options)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(nodes, "FIRST_PAUSE", 0.001)
    with ExitStack() as stack:
        yield Place(stack)


def changed(handle: Callable[[Any], Any], method: str, change: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """The same chain, with other answers to a method: `change` of its parameters and the result."""

    def handled(request: Mapping[str, Any]) -> Any:
        answer = handle(request)
        if request["method"] != method:
            return answer
        return {**answer, "result": change(request["params"], answer["result"])}

    return handled


@pytest.mark.parametrize("gust", PASSES.values(), ids=PASSES)
def test_what_passes_is_asked_again(place: Place, gust: Gust) -> None:
    node = place.node(None, gust, gust)
    assert place.reach(node).eth.block_number == 3
    assert node.asked == ["eth_blockNumber"] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_what_does_not_pass_is_asked_once(place: Place, status: int) -> None:
    node = place.node(None, Gust(status))
    with pytest.raises(HTTPError):
        place.reach(node).eth.block_number  # noqa: B018
    assert len(node.asked) == 1


def test_an_outage_costs_its_patience_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "FIRST_PAUSE", 0.05)
    node = place.node(None, *[Gust(503)] * 1_000)
    w3 = place.reach(node, patience=0.5)
    with pytest.raises(ChainUnavailable) as raised:
        w3.eth.block_number  # noqa: B018
    first = len(node.asked)
    assert first > 1
    assert raised.value.detail == "the chain node failed (503); try again shortly"
    for _ in range(3):
        with pytest.raises(ChainUnavailable):
            w3.eth.block_number  # noqa: B018
    assert len(node.asked) == first + 3
    node.weather = gusts()
    assert w3.eth.block_number == 3
    node.weather = gusts(Gust(503), Gust(503))
    assert w3.eth.block_number == 3, "after an answer there is patience again"


def test_a_long_wait_that_a_node_asks_for_is_passed_on(place: Place) -> None:
    node = place.node(None, Gust(429, headers={"Retry-After": "120"}))
    with pytest.raises(ChainUnavailable) as raised:
        place.reach(node).eth.block_number  # noqa: B018
    assert (raised.value.retry_after, len(node.asked)) == (120, 1)


def test_another_node_answers_for_one_away_and_is_asked_first(place: Place) -> None:
    away, there = place.node(None, *[Gust(502)] * 9), place.node()
    w3 = place.reach(away, there)
    assert [w3.eth.block_number for _ in range(3)] == [3, 3, 3]
    assert (len(away.asked), len(there.asked)) == (1, 3)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_node_that_lets_nobody_in_is_passed_over_for_another(place: Place, status: int) -> None:
    """A key that ran out, at one of three providers."""
    shut, there = place.node(None, *[Gust(status)] * 1_000), place.node()
    w3 = place.reach(shut, there, place.node(there.handle))
    assert w3.eth.block_number == 3
    assert w3.eth.get_block("finalized")["number"] == 3
    assert w3.eth.get_block(2)["number"] == 2


@pytest.mark.parametrize("answer", [{"result": None}, {"error": {"code": -32601, "message": "unknown block"}}])
def test_a_chain_without_the_tag_is_named_with_the_remedy(place: Place, answer: Mapping[str, Any]) -> None:
    chain = Devnet()

    def handle(request: Any) -> Any:
        if request["params"][:1] == ["finalized"]:
            return {"jsonrpc": "2.0", "id": request["id"], **answer}
        return chain.handle(request)

    node = place.node(handle)
    with pytest.raises(NoFinalBlock, match=r"`finalized`.*--finality-depth"):
        place.reach(node).eth.get_block("finalized")
    chain.mine(30)
    assert place.reach(node, finality_depth=12).eth.get_block("finalized")["number"] == 18
    assert place.reach(node, finality_depth=99).eth.get_block("finalized")["number"] == 0
    assert place.reach(node, finality_depth=0).eth.get_block("finalized")["number"] == 30


def test_the_final_block_of_two_nodes_is_the_lower_one(place: Place) -> None:
    ahead = place.node()

    def behind(request: Any) -> Any:
        if request["params"][:1] == ["finalized"]:
            request = {**request, "params": ["0x1", False]}
        return ahead.handle(request)

    for order in ((ahead, place.node(behind)), (place.node(behind), ahead)):
        assert place.reach(*order).eth.get_block("finalized")["number"] == 1


def test_two_nodes_with_other_final_blocks_are_named(place: Place) -> None:
    one, other = Devnet(), Devnet()
    one.mine(2)
    other.increase_time(50)
    other.mine(2)
    with pytest.raises(NodesDisagree, match="different blocks 2"):
        place.reach(place.node(one.handle), place.node(other.handle)).eth.get_block("finalized")


@holds(
    "An answer on which two chain nodes differ has no effect",
    by="contracts/evm/nodes.py:ChainNodes.make_request",
    against=Threat.BAD_CHAIN,
)
def test_what_is_settled_is_read_from_two(place: Place) -> None:
    honest = place.node()

    def later(_params: Any, block: Any) -> Any:
        return block if block is None or block["number"] == "0x3" else {**block, "timestamp": "0x1"}

    w3 = place.reach(honest, place.node(changed(honest.handle, "eth_getBlockByNumber", later)))
    assert w3.eth.get_block("finalized")["number"] == 3
    with pytest.raises(NodesDisagree):
        w3.eth.get_block(2)


def test_logs_that_one_node_leaves_out_are_missed(place: Place) -> None:
    honest = place.node()
    log = {
        "address": "0x" + "11" * 20,
        "topics": [],
        "data": "0x",
        "blockNumber": "0x2",
        "blockHash": "0x" + "22" * 32,
        "logIndex": "0x0",
        "transactionHash": "0x" + "33" * 32,
        "transactionIndex": "0x0",
        "removed": False,
    }
    w3 = place.reach(honest, place.node(changed(honest.handle, "eth_getLogs", lambda *_: [log])))
    w3.eth.get_block("finalized")
    for query in ({"fromBlock": 1, "toBlock": 3}, {"blockHash": "0x" + "22" * 32}):
        with pytest.raises(NodesDisagree, match="eth_getLogs"):
            w3.eth.get_logs(query)  # type: ignore[arg-type]
    assert w3.eth.get_logs({"fromBlock": 1, "toBlock": 4}) == [], "block 4 is not final: one node says"


def test_nodes_of_two_chains_are_named(place: Place) -> None:
    one = place.node()
    with pytest.raises(NodesDisagree, match="eth_chainId"):
        place.reach(one, place.node(changed(one.handle, "eth_chainId", lambda *_: "0x1"))).eth.chain_id  # noqa: B018


def test_a_block_that_one_of_two_lacks_is_not_there(place: Place) -> None:
    ahead = place.node()

    def lacking(params: Any, block: Any) -> Any:
        return None if params[0] == "0x2" else block

    w3 = place.reach(ahead, place.node(changed(ahead.handle, "eth_getBlockByNumber", lacking)))
    w3.eth.get_block("finalized")
    with pytest.raises(BlockNotFound):
        w3.eth.get_block(2)


def test_one_of_two_nodes_away_stops_only_final_reads(place: Place) -> None:
    there, away = place.node(), place.node(None, *[Gust(502)] * 1_000)
    w3 = place.reach(there, away, patience=0.0)
    assert w3.eth.block_number == 3
    with pytest.raises(ChainUnavailable, match="of 2 chain nodes one answers, and what is final is read from two"):
        w3.eth.get_block("finalized")
    third = place.node(there.handle)
    assert place.reach(there, away, third).eth.get_block("finalized")["number"] == 3


def test_one_node_is_not_asked_twice(place: Place) -> None:
    node = place.node()
    w3 = place.reach(node)
    w3.eth.get_block("finalized")
    w3.eth.get_block(2)
    assert node.asked == ["eth_getBlockByNumber"] * 2


def test_one_of_three_nodes_with_a_bad_answer_is_passed_over(place: Place) -> None:
    """It answers nonsense, or names no final block."""
    there = place.node()

    def nameless(request: Any) -> Any:
        if request["params"][:1] == ["finalized"]:
            return {"jsonrpc": "2.0", "id": request["id"], "result": None}
        return there.handle(request)

    odd = changed(there.handle, "eth_getBlockByNumber", lambda *_: {"number": "soon"})
    for bad in (nameless, odd):
        nodes_ = place.node(bad), there, place.node(there.handle)
        assert place.reach(*nodes_).eth.get_block("finalized")["number"] == 3
    assert place.reach(place.node(changed(there.handle, "eth_gasPrice", lambda *_: "cheap")), there).eth.gas_price > 0
    with pytest.raises(NoFinalBlock):
        place.reach(place.node(nameless), there, patience=0.0).eth.get_block("finalized")


def test_an_old_block_is_read_from_two_nodes_from_the_start(place: Place) -> None:
    """Also before the final block was asked for."""
    honest = place.node()
    other = place.node(changed(honest.handle, "eth_getBlockByNumber", lambda p, b: {**b, "timestamp": "0x1"}))
    with pytest.raises(NodesDisagree):
        place.reach(honest, other).eth.get_block(2)
    assert place.reach(honest, other).eth.get_block("latest")["number"] == 3, "the newest one may differ"
