"""A chain node that refuses ranges of logs over a limit, in the codes and words of providers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from requests import Response
from requests.exceptions import ConnectionError as NotConnected
from requests.exceptions import HTTPError, ReadTimeout

Handle = Callable[[Mapping[str, Any]], Any]


def http(status: int, body: str = "") -> HTTPError:
    """What a status is to whoever asks over HTTP."""
    response = Response()
    response.status_code, response._content = status, body.encode()
    return HTTPError(f"{status} for url: https://chain.example/key", response=response)


@dataclass(frozen=True)
class Said:
    """A refusal in JSON-RPC."""

    code: int
    message: str


REFUSALS: dict[str, Said | Exception] = {
    "-32602": Said(-32602, "Invalid params: block range is too wide"),
    "-32005": Said(-32005, "query returned more than 10000 results. Try with this block range [0x1, 0x2]."),
    "-32000": Said(-32000, "range exceeds limit of 100"),
    "-32600": Said(-32600, "You can make eth_getLogs requests with up to a 10 block range"),
    "-32701": Said(-32701, "Please specify an address in your request or narrow your block range"),
    "-32603": Said(-32603, "query timeout exceeded"),
    "limit exceeded": Said(-32005, "limit exceeded"),
    "http 400": http(400, '{"error": {"code": -32602, "message": "eth_getLogs range is too large"}}'),
    "http 413": http(413, "<html>Request Entity Too Large</html>"),
    "http 500": http(500),
    "http 504": http(504, "<html>Gateway Time-out</html>"),
    "silence": ReadTimeout("read timed out"),
}
WEATHER: dict[str, Said | Exception] = {
    "http 429": http(429),
    "http 502": http(502, "<html>Bad Gateway</html>"),
    "http 503": http(503),
    "reset": NotConnected("connection reset by peer"),
    "a rate under the code of a range": Said(-32005, "daily request count exceeded, request rate limited"),
    "a rate under the code 429": Said(429, "Your app has exceeded its capacity"),
    "a rate in a body": http(400, '{"error": {"message": "Too Many Requests"}}'),
}


def refused(request: Mapping[str, Any], refusal: Said | Exception) -> Any:
    """The answer that is no answer."""
    if isinstance(refusal, Exception):
        raise refusal
    error = {"code": refusal.code, "message": refusal.message}
    return {"jsonrpc": "2.0", "id": request.get("id"), "error": error}


class Limited:
    """`handle` of a chain, behind a limit. `asked` are the ranges of blocks whose logs were asked for."""

    def __init__(self, handle: Handle, limit: int, refusal: Said | Exception = REFUSALS["-32000"]) -> None:
        self._handle, self.limit, self.refusal = handle, limit, refusal
        self.asked: list[tuple[int, int]] = []

    def handle(self, request: Mapping[str, Any]) -> Any:
        """Answer, or refuse. What is asked for by the hash of its block is one block."""
        if request["method"] == "eth_getLogs" and "blockHash" not in request["params"][0]:
            first, last = (int(request["params"][0][name], 16) for name in ("fromBlock", "toBlock"))
            self.asked.append((first, last))
            if last - first + 1 > self.limit:
                return refused(request, self.refusal)
        return self._handle(request)

    @property
    def widest(self) -> int:
        """Blocks of the widest range that was given."""
        return max(last - first + 1 for first, last in self.asked if last - first + 1 <= self.limit)


class Written:
    """A chain of `blocks` blocks whose contract logged one word in each of these places."""

    def __init__(self, address: str, blocks: int, places: list[tuple[int, int]]) -> None:
        self._blocks, self._logs = blocks, [_log(address, block, index) for block, index in places]

    def handle(self, request: Mapping[str, Any]) -> Any:
        """What reading logs takes. Logs come from the last to the first: the order is ours to mend."""
        return {"jsonrpc": "2.0", "id": request["id"], "result": self._result(request)}

    def _result(self, request: Mapping[str, Any]) -> Any:
        if request["method"] == "eth_getLogs":
            first, last = (int(request["params"][0][name], 16) for name in ("fromBlock", "toBlock"))
            return [log for log in self._logs[::-1] if first <= int(log["blockNumber"], 16) <= last]
        return {"eth_blockNumber": hex(self._blocks - 1), "eth_chainId": "0x1"}[request["method"]]


def _log(address: str, block: int, index: int) -> dict[str, Any]:
    return {
        "address": address,
        "topics": ["0x" + "07" * 32],
        "data": "0x" + f"{index:064x}",
        "removed": False,
        "blockNumber": hex(block),
        "logIndex": hex(index),
        "blockHash": f"0x{block:064x}",
        "transactionHash": f"0x{block:064x}",
        "transactionIndex": "0x0",
    }
