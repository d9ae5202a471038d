"""Whether a chain is the one that a deployment stands on: its id, and code where contracts are called.

A chain that was started again without its state answers every call of a contract with no bytes, and takes coins that
are sent with one. Nothing of a model can be read there, and nothing may be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.middleware import Web3Middleware
from web3.types import RPCEndpoint, RPCResponse

from contracts.chain.deployment import Deployment
from contracts.evm.errors import ChainAtFault
from contracts.ids import Address, as_address

REMEDY = "is this the chain of the deployment? One that was started again without its state has nothing of it"
_NOTHING = ("", "0x", b"", None)


class ChainWithoutContract(ChainAtFault):
    """No code is where a contract is called: another chain, or this one without its state."""

    code = "chain-without-contract"
    status = 503


class ChainOther(ChainAtFault):
    """The chain node answers for a chain of another id than the deployment's."""

    code = "chain-other"
    status = 503


def require_present(w3: Web3, deployment: Deployment) -> None:
    """Raises ChainOther and ChainWithoutContract unless the model's contracts are on this chain."""
    if (chain_id := w3.eth.chain_id) != deployment.chain_id:
        raise ChainOther(
            f"the chain node answers for chain {chain_id}, and the deployment is on chain {deployment.chain_id}: "
            "check --rpc-url and --deployment"
        )
    for address in (deployment.model_registry, deployment.verifier_registry, deployment.distributor):
        require_code(w3, address)


def require_code(w3: Web3, address: Address) -> None:
    """Raises ChainWithoutContract where nothing is deployed at an address."""
    if not w3.eth.get_code(to_checksum_address(address)):
        raise ChainWithoutContract(f"no contract code at {address} on chain {w3.eth.chain_id}: {REMEDY}")


class RequireCode(Web3Middleware):
    """Refuses an answer, and a transaction, that come from an address without code.

    Code is looked up only where a call gave no bytes, and before gas is estimated: else a call's coins would be gone.
    """

    def wrap_make_request(self, make_request: Any) -> Any:
        """The same request, with `require_code` where it applies. Raises ChainWithoutContract."""

        def made(method: RPCEndpoint, params: Any) -> RPCResponse:
            if method == "eth_estimateGas" and _calls(params):
                self._require(params)
            answer = cast(RPCResponse, make_request(method, params))
            if method == "eth_call" and _calls(params) and answer.get("result", True) in _NOTHING:
                self._require(params)
            return answer

        return made

    def _require(self, params: Any) -> None:
        assert isinstance(self._w3, Web3), "the connections of this project are not asynchronous"
        require_code(self._w3, as_address(str(params[0]["to"])))


def _calls(params: Any) -> bool:
    """Whether it is a call of an existing contract: of now, for code may have come since an older block."""
    call = params[0] if params and isinstance(params[0], Mapping) else {}
    return bool(call.get("to")) and call.get("data", call.get("input", "0x")) not in _NOTHING
