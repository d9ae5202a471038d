"""The data of a revert reach their readers, whatever web3 makes of them.

web3 reads panics and off-chain lookups (EIP-3668) on its way, and fails with a KeyError, or an error of eth-abi, where
a contract reverts with a panic of no known code or with half a lookup. The caller took that for a bug of its own:
the relayer signed nothing behind such a call.
"""

from __future__ import annotations

from typing import Any, cast

from web3._utils.error_formatters_utils import raise_contract_logic_error_on_revert
from web3.exceptions import Web3Exception
from web3.middleware import Web3Middleware
from web3.types import RPCEndpoint, RPCResponse

_EXECUTES = ("eth_call", "eth_estimateGas")
_REVERTED = "execution reverted"


class OddReverts(Web3Middleware):
    """Wraps the data of a revert that web3 cannot read, so that it raises ContractLogicError with them."""

    def wrap_make_request(self, make_request: Any) -> Any:
        """The same request; a refusal of a call that web3 can read stays as it is."""

        def made(method: RPCEndpoint, params: Any) -> RPCResponse:
            answer = cast(RPCResponse, make_request(method, params))
            error: Any = answer.get("error")
            if method in _EXECUTES and isinstance(error, dict) and not _is_readable(answer):
                wrapped = {**error, "message": error.get("message") or _REVERTED, "data": {"data": error.get("data")}}
                return cast(RPCResponse, {**answer, "error": wrapped})
            return answer

        return made


def _is_readable(answer: RPCResponse) -> bool:
    try:
        raise_contract_logic_error_on_revert(answer)
    except Web3Exception:
        return True
    except Exception:  # whatever a stranger's bytes do to the decoder
        return False
    return True
