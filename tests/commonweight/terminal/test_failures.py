from __future__ import annotations

import pytest
from requests.exceptions import ConnectionError as RequestsConnectionError
from web3.exceptions import Web3RPCError

from commonweight.terminal.failures import RpcRefused, RpcUnreachable, SystemRefused, as_refusal
from contracts.errors import BadField, CommonweightError

pytestmark = pytest.mark.unit

CASES = {
    "no-node": (RequestsConnectionError("refused"), RpcUnreachable, "--rpc-url"),
    "node-refuses": (Web3RPCError("insufficient funds for gas"), RpcRefused, "insufficient funds"),
    "node-refuses-in-json": (
        Web3RPCError(
            "{'code': -32000}",
            rpc_response={"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "nonce too low"}},
        ),
        RpcRefused,
        "the chain node refuses: nonce too low",
    ),
    "port-in-use": (OSError(98, "Address already in use"), SystemRefused, "address already in use"),
    "no-file": (FileNotFoundError(2, "No such file or directory", "/x/y"), SystemRefused, "/x/y: no such file"),
    "ours-already": (BadField("run must be 32 bytes"), BadField, "32 bytes"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_world_does_becomes_a_refusal_with_its_own_code(name: str) -> None:
    error, kind, text = CASES[name]
    refusal = as_refusal(error)
    assert type(refusal) is kind
    assert refusal.code != CommonweightError.code
    assert text in refusal.detail


def test_a_fault_of_ours_stays_one() -> None:
    with pytest.raises(KeyError):
        as_refusal(KeyError("theta"))
