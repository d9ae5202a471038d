"""Logs of a chain whose nodes take few blocks at a time, each in its own words: all of them, in order, each once."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.exceptions import HTTPError, ReadTimeout, RequestException
from web3 import Web3
from web3.exceptions import Web3RPCError

from contracts.chain.connection import connect_devnet
from contracts.evm import log_pace
from contracts.evm.errors import ChainUnfit
from contracts.evm.log_pace import LogPace, pace_of
from contracts.evm.log_ranges import LogsRefused, Wanted, logs, pieces
from tests.holds import Threat, holds
from tests.limited_rpc import REFUSALS, WEATHER, Limited, Said, Written, http, refused
from tests.sources import PACKAGES, ROOT, own_sources

pytestmark = pytest.mark.unit

ADDRESS = "0x" + "11" * 20
WANTED = Wanted((ADDRESS,))
Place = tuple[int, int]


def node(chain: Any) -> Web3:
    return connect_devnet(cast(Any, chain))


def read(w3: Web3, first: int, last: int) -> list[Place]:
    return [(log["blockNumber"], log["logIndex"]) for log in logs(w3, WANTED, first, last)]


def places(blocks: int, every: int) -> list[Place]:
    return [(block, index) for block in range(0, blocks, every) for index in range(1 + block % 3)]


# ---- limits that stay


@holds(
    "Chain logs are read in ranges that the node accepts, in order, each once",
    by="contracts/evm/log_ranges.py:pieces",
    against=Threat.BAD_CHAIN,
)
@pytest.mark.parametrize("limit", [1, 10, 100, 10_000])
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_every_limit_in_every_word_gives_the_same_logs(refusal: Said | Exception, limit: int) -> None:
    blocks, first = 25 * limit, 3 * limit
    written = places(blocks, max(1, limit // 4))
    rpc = Limited(Written(ADDRESS, blocks, written).handle, limit, refusal)
    assert read(node(rpc), first, blocks - 1) == [place for place in written if place[0] >= first]
    assert min(start for start, _ in rpc.asked) == first
    assert max(end for _, end in rpc.asked) == blocks - 1
    assert rpc.widest > limit // 10
    assert len(rpc.asked) < 100 + 25 * 10  # no try for ever: most pieces are within a tenth of what is taken


def test_what_a_node_takes_is_remembered_and_seldom_tried_again() -> None:
    rpc = Limited(Written(ADDRESS, 30_000, []).handle, 100)
    w3 = node(rpc)
    read(w3, 0, 29_999)
    over = sum(end - start >= 100 for start, end in rpc.asked)
    assert over < 7 + 9  # 10,000 to 156, and then twice what is given, ever more seldom
    rpc.asked.clear()
    read(w3, 0, 999)
    assert len(rpc.asked) < 1_000 // 50 + 3


def test_a_pace_is_the_nodes_own_in_the_whole_process() -> None:
    class At:
        def __init__(self, endpoint_uri: str) -> None:
            self.endpoint_uri = endpoint_uri

    assert pace_of(At("https://one.example/key")) is pace_of(At("https://one.example/key"))
    assert pace_of(At("https://one.example/key")) is not pace_of(At("https://two.example/key"))
    one, other = node(Written(ADDRESS, 1, [])), node(Written(ADDRESS, 1, []))
    assert pace_of(one.provider) is pace_of(one.provider) is not pace_of(other.provider)


def test_a_stretch_with_many_logs_does_not_slow_what_follows() -> None:
    rpc = Limited(Written(ADDRESS, 100_000, []).handle, 10)
    w3 = node(rpc)
    read(w3, 0, 99)
    rpc.limit = 10_000
    rpc.asked.clear()
    read(w3, 100, 99_999)
    assert rpc.widest == 10_000
    assert len(rpc.asked) < 600


def test_pieces_are_asked_for_when_they_are_needed() -> None:
    rpc = Limited(Written(ADDRESS, 1_000, places(1_000, 1)).handle, 10)
    assert next(iter(logs(node(rpc), WANTED, 0, 999)))["blockNumber"] == 0
    assert max(end for start, end in rpc.asked if end - start < 10) < 10


def test_an_answer_with_too_many_logs_shortens_the_next_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_pace, "MOST_BLOCKS", 1_000)
    monkeypatch.setattr(log_pace, "MOST_LOGS", 50)
    rpc = Limited(Written(ADDRESS, 4_000, [(block, 0) for block in range(4_000)]).handle, 50_000)
    found = [len(piece.logs) for piece in pieces(node(rpc), WANTED, 0, 3_999)]
    assert sum(found) == 4_000
    assert found[0] == 1_000
    assert max(found[6:]) <= 2 * 50


# ---- limits that change


class Moody(Written):
    """Draws its limits of blocks, and of logs, anew for each request; one block it always gives."""

    def __init__(self, blocks: int, written: list[Place], draw: Any) -> None:
        super().__init__(ADDRESS, blocks, written)
        self._draw, self.requests = draw, 0

    def handle(self, request: Mapping[str, Any]) -> Any:
        if request["method"] != "eth_getLogs":
            return super().handle(request)
        self.requests += 1
        limit, most = self._draw(st.tuples(st.integers(1, 500), st.integers(0, 50)))
        first, last = (int(request["params"][0][name], 16) for name in ("fromBlock", "toBlock"))
        answer = super().handle(request)
        if first == last or (last - first < limit and len(answer["result"]) <= most):
            return answer
        return refused(request, self._draw(st.sampled_from(list(REFUSALS.values()))))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), first=st.integers(0, 300), length=st.integers(0, 300))
def test_limits_that_change_lose_nothing_and_double_nothing(data: st.DataObject, first: int, length: int) -> None:
    at = data.draw(st.sets(st.tuples(st.integers(0, 700), st.integers(0, 20)), max_size=150))
    written = sorted(at)
    rpc = Moody(701, written, data.draw)
    last = first + length - 1
    assert read(node(rpc), first, last) == [place for place in written if first <= place[0] <= last]
    assert rpc.requests <= 15 * (length + 1)


@given(st.lists(st.tuples(st.sampled_from(["refused", "slow", "given"]), st.integers(0, 30_000)), max_size=300))
def test_a_pace_stays_between_one_block_and_the_most(happened: list[tuple[str, int]]) -> None:
    pace = LogPace()
    for what, count in happened:
        before = asked = pace.blocks()
        if what == "given":
            pace.given(asked, count)
            assert pace.blocks() <= 2 * before
        else:
            assert pace.refused(asked, what == "slow") == pace.blocks() == max(1, pace.blocks())
            assert pace.blocks() <= max(1, before // 2)
        assert 1 <= pace.blocks() <= log_pace.MOST_BLOCKS


# ---- what is refused all the same


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_of_one_block_passes_named_with_its_block(refusal: Said | Exception) -> None:
    rpc = Limited(Written(ADDRESS, 1_000, [(0, 0)]).handle, 0, refusal)
    w3 = node(rpc)
    with pytest.raises(LogsRefused, match="the logs of block 7: ") as raised:
        read(w3, 7, 900)
    assert "chain.example" not in raised.value.detail
    assert len(rpc.asked) <= 15
    assert pace_of(w3.provider).span == log_pace.MOST_BLOCKS, "narrowing was of no use"


@pytest.mark.parametrize("weather", WEATHER.values(), ids=WEATHER)
def test_weather_passes_without_halving(weather: Said | Exception) -> None:
    rpc = Limited(Written(ADDRESS, 1_000, []).handle, 0, weather)
    w3 = node(rpc)
    with pytest.raises((RequestException, Web3RPCError)):
        read(w3, 0, 999)
    assert rpc.asked == [(0, 999)], "the connection asks again, and nobody else (evm/nodes.py)"
    assert pace_of(w3.provider).span == log_pace.MOST_BLOCKS


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_closed_door_is_tried_once(status: int) -> None:
    rpc = Limited(Written(ADDRESS, 1_000, []).handle, 0, http(status))
    with pytest.raises(HTTPError):
        read(node(rpc), 0, 999)
    assert len(rpc.asked) == 1


@pytest.mark.parametrize("silence", [ReadTimeout("read timed out"), http(504)])
def test_a_node_that_is_away_altogether_is_not_asked_for_less(silence: Exception) -> None:
    """Silence over a range is the range's where the node answers something else."""

    class Away(Limited):
        def handle(self, request: Mapping[str, Any]) -> Any:
            return super().handle(request) if request["method"] == "eth_getLogs" else refused(request, silence)

    rpc = Away(Written(ADDRESS, 1_000, []).handle, 0, silence)
    with pytest.raises(RequestException):
        read(node(rpc), 0, 999)
    assert len(rpc.asked) == 1


# ---- answers that do not fit


MISSING = object()
UNFIT: dict[str, Any] = {
    "another address": [{"address": "0x" + "22" * 20}],
    "a block before": [{"blockNumber": "0x1"}],
    "a block behind": [{"blockNumber": "0x100"}],
    "a negative block": [{"blockNumber": "-0x5"}],
    "no block": [{"blockNumber": None}],
    "no place": [{"logIndex": None}],
    "a giant block": [{"blockNumber": "0x" + "f" * 10_000}],
    "half a block": [{"blockNumber": 50.5}],
    "a giant place": [{"logIndex": hex(2**63)}],
    "no transaction": [{"transactionHash": None}],
    "no block hash": [{"blockHash": None}],
    "a short block hash": [{"blockHash": "0x01"}],
    "short topics": [{"topics": ["0x01"]}],
    "five topics": [{"topics": ["0x" + "01" * 32] * 5}],
    "no topics": [{"topics": None}],
    "no data": [{"data": None}],
    "no address": [{"address": None}],
    "half a log": [dict.fromkeys(("address", "topics", "blockHash"), MISSING)],
    "taken back": [{"removed": True}],
    "twice": [{}, {}],
    "nothing": None,
    "a word": "logs",
    "numbers": [1, 2],
}


def changed(log: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (log | change).items() if value is not MISSING}


@pytest.mark.parametrize("changes", UNFIT.values(), ids=UNFIT)
def test_an_answer_that_does_not_fit_is_refused(changes: Any) -> None:
    whole = Written(ADDRESS, 100, [(50, 3)])

    class Lying:
        def handle(self, request: Mapping[str, Any]) -> Any:
            answer = whole.handle(request)
            if request["method"] == "eth_getLogs":
                (log,) = answer["result"]
                many = isinstance(changes, list) and isinstance(changes[0], dict)
                answer["result"] = [changed(log, change) for change in changes] if many else changes
            return answer

    with pytest.raises(ChainUnfit):
        read(node(Lying()), 40, 60)


@pytest.mark.parametrize("topics", [["aa"], ["aa", "cc"], ["bb", "cc"], ["dd", "bb"], []], ids="-".join)
def test_a_log_that_the_filter_should_have_kept_out_is_refused(topics: list[str]) -> None:
    """A node that passes the filter over would have other models' decisions read as one's own."""
    one, other, own = ("0x" + byte * 32 for byte in ("aa", "dd", "bb"))
    wanted = Wanted((ADDRESS,), ([one, other], own))
    fits = topics == ["dd", "bb"]
    whole = Written(ADDRESS, 100, [(50, 3)])

    class Unfiltered:
        def handle(self, request: Mapping[str, Any]) -> Any:
            answer = whole.handle(request)
            if request["method"] == "eth_getLogs":
                answer["result"][0]["topics"] = ["0x" + byte * 32 for byte in topics]
            return answer

    with nullcontext() if fits else pytest.raises(ChainUnfit):
        assert [log["blockNumber"] for log in logs(node(Unfiltered()), wanted, 40, 60)] == [50]


# ---- nobody else


ASKS = {"get_logs", "process_log", "process_receipt", "create_filter", "new_filter", "eth_getLogs", "eth_newFilter"}


def test_nothing_else_asks_for_logs_or_decodes_them_one_by_one() -> None:
    """Whatever else did would ask too much of somebody's node."""
    found = {
        path.relative_to(ROOT).as_posix(): ASKS & set(_named(path)) for path in own_sources(*PACKAGES, "benchmarks")
    }
    assert {path: names for path, names in found.items() if names} == {
        "contracts/evm/log_ranges.py": {"get_logs"},
        "contracts/evm/http.py": {"eth_getLogs"},  # whose failures it hands on
        "contracts/devnet/chain.py": {"eth_getLogs"},  # which answers it
        "benchmarks/chain_logs.py": {"process_log"},  # what was before, measured beside
    }


def _named(path: Path) -> Iterator[str]:
    """Attributes and strings of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
