"""A chain in the shape of a network: what its nodes add to blocks, transactions, receipts and logs, what they leave
out, and what they do not answer. A shape is a file beside; the values in it mean nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.devnet.chain import Devnet

SHAPES = sorted(path.stem for path in (Path(__file__).parent / "shapes").glob("*.json"))
_PARTS = {
    "eth_getBlockByNumber": "block",
    "eth_getBlockByHash": "block",
    "eth_getTransactionByHash": "transaction",
    "eth_getTransactionReceipt": "receipt",
    "eth_getLogs": "log",
}


class Shaped:
    """The same chain, answering as nodes of that network do."""

    def __init__(self, chain: Devnet, shape: str) -> None:
        self._chain = chain
        self._shape = json.loads((Path(__file__).parent / "shapes" / f"{shape}.json").read_text())

    def mine(self) -> None:
        """A block."""
        self._chain.mine()

    def handle(self, request: Any) -> Any:
        """One request."""
        if request["method"] in self._shape.get("refuses", ()):
            error = {"code": -32601, "message": f"the method {request['method']} does not exist/is not available"}
            return {"jsonrpc": "2.0", "id": request["id"], "error": error}
        answer = self._chain.handle(request)
        part, found = _PARTS.get(request["method"]), answer.get("result")
        if part is None or not found:
            return answer
        return {**answer, "result": [self._of(part, one) for one in found] if part == "log" else self._of(part, found)}

    def _of(self, part: str, plain: Mapping[str, Any]) -> dict[str, Any]:
        left_out = self._shape.get("without", {}).get(part, ())
        shaped: dict[str, Any] = {
            name: value for name, value in plain.items() if name not in left_out
        } | self._shape.get(part, {})
        if part == "receipt":
            shaped["logs"] = [self._of("log", log) for log in plain["logs"]]
        if part == "block" and any(isinstance(sent, dict) for sent in plain["transactions"]):
            place = {"blockNumber": plain["number"], "blockHash": plain["hash"]}
            foreign = [{**self._shape["foreign"], **place}] if "foreign" in self._shape else []
            shaped["transactions"] = foreign + [self._of("transaction", sent) for sent in plain["transactions"]]
        return shaped
