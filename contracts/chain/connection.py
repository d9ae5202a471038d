"""The one way to a chain: connect, load an artifact, sign and send, and say why a call was refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path
from threading import Timer
from typing import Any, Protocol, TypedDict, cast

from eth_abi.abi import decode
from eth_account.signers.local import LocalAccount
from eth_typing.abi import ABIComponent, ABIElement, ABIError
from eth_utils.abi import (
    abi_to_signature,
    filter_abi_by_type,
    function_signature_to_4byte_selector,
    get_abi_input_types,
)
from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.exceptions import ContractLogicError, Web3RPCError
from web3.providers.base import JSONBaseProvider
from web3.types import Nonce, RPCEndpoint, RPCResponse, TxParams, TxReceipt, Wei

from contracts.chain.presence import RequireCode
from contracts.chain.refusal_words import sentence
from contracts.errors import CommonweightError
from contracts.evm.chain_text import storable, tolerant_codec
from contracts.evm.fees import market
from contracts.evm.http import OneNode
from contracts.evm.nodes import PATIENCE_SECONDS, ChainNodes
from contracts.evm.odd_reverts import OddReverts
from contracts.ids import Address, from_hex, to_hex
from contracts.recursion import bound_recursion

ARTIFACTS = Path(__file__).parents[1] / "artifacts"


class Artifact(TypedDict):
    """A compiled contract, as `contracts/artifacts/` has it."""

    abi: list[ABIElement]
    bytecode: str
    sourceHash: str
    compiler: str


class InProcess(Protocol):
    """A chain in this process (contracts/devnet/chain.py), which answers JSON-RPC requests as one behind HTTP does."""

    def handle(self, request: Any) -> Any:
        """The answer to a request, or to a list of them."""


class ContractRejected(CommonweightError):
    """A contract refused a call. `error` is the custom error's name, `args_` its arguments by name.

    The detail is what the error means, where it is known, and the error itself behind it.
    """

    code = "contract-rejected"

    def __init__(self, error: str, args_: Mapping[str, Any]) -> None:
        arguments = ", ".join(f"{k}={v.hex() if isinstance(v, bytes) else v}" for k, v in args_.items())
        meaning = sentence(error, args_)
        super().__init__(storable(f"{error}({arguments})" if meaning is None else f"{meaning} [{error}({arguments})]"))
        self.error = error
        self.args_ = args_


class DevnetProvider(JSONBaseProvider):
    """A web3 provider on an embedded chain in this process."""

    def __init__(self, chain: InProcess) -> None:
        super().__init__()
        self.chain = chain

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Encode and decode as over HTTP, so that both ways behave alike."""
        request = json.loads(self.encode_rpc_request(method, params))
        return cast(RPCResponse, self.chain.handle(request))

    def is_connected(self, show_traceback: bool = False) -> bool:  # noqa: ARG002 - the provider interface
        """Always: the chain is in this process."""
        return True


def connect(
    *rpc_urls: str, timeout: float = 30.0, finality_depth: int | None = None, patience: float = PATIENCE_SECONDS
) -> Web3:
    """Return a Web3 on the nodes at `rpc_urls` (evm/nodes.py), which follows no off-chain lookups.

    A node has `timeout` seconds for an answer, a request `patience` seconds to be asked again. Without
    `finality_depth` the chain says which block is final (evm/finality.py). Its calls raise RequestException for all
    that is no answer of a chain node, ChainUnavailable where none came in time, and ChainAtFault.
    """
    bound_recursion()
    return through(ChainNodes([OneNode(url, timeout) for url in rpc_urls], finality_depth, patience))


def hang_up(w3: Web3, after: float) -> None:
    """Wait `after` seconds longer for a chain node, and then no more: awaited requests fail."""
    end = getattr(w3.provider, "hang_up", None)
    if end is not None:
        timer = Timer(after, end)
        timer.daemon = True
        timer.start()


def connect_devnet(chain: InProcess) -> Web3:
    """Return a Web3 on an embedded chain in this process."""
    return through(DevnetProvider(chain))


def through(provider: JSONBaseProvider) -> Web3:
    """Return a Web3 on a provider, as all of ours are."""
    provider.global_ccip_read_enabled = False
    w3 = Web3(provider)
    w3.codec = tolerant_codec()
    w3.middleware_onion.add(RequireCode, "code")
    w3.middleware_onion.add(OddReverts, "reverts")
    return w3


@cache
def load_artifact(name: str) -> Artifact:
    """Return the compiled contract `name`."""
    return cast(Artifact, json.loads((ARTIFACTS / f"{name}.json").read_text()))


def contract_at(w3: Web3, name: str, address: Address) -> Contract:
    """Return contract `name` at `address`."""
    return _kind(w3, name)(Web3.to_checksum_address(address))


@lru_cache(maxsize=64)
def _kind(w3: Web3, name: str) -> type[Contract]:
    """web3 makes a class of an ABI, with a method for each function, which takes longer than most calls."""
    return w3.eth.contract(abi=load_artifact(name)["abi"])


@cache
def _errors_by_selector() -> dict[bytes, ABIError]:
    entries = [e for path in sorted(ARTIFACTS.glob("*.json")) for e in load_artifact(path.stem)["abi"]]
    errors = [*filter_abi_by_type("error", entries), _builtin("Error", "reason", "string")]
    errors.append(_builtin("Panic", "panic", "uint256"))
    return {function_signature_to_4byte_selector(abi_to_signature(error)): error for error in errors}


def _builtin(name: str, argument: str, kind: str) -> ABIError:
    """An error of the language itself."""
    return ABIError(type="error", name=name, inputs=[ABIComponent(name=argument, type=kind)])


LONGEST_REVERT = 4_096
"""Bytes of a revert that are read; ours are far shorter."""


def decode_revert(data: bytes) -> ContractRejected:
    """Return the refusal that revert `data` stands for; unknown data keep their hex."""
    entry = _errors_by_selector().get(data[:4])
    if entry is None or len(data) > LONGEST_REVERT:
        return ContractRejected("Unknown", {"data": to_hex(data[:LONGEST_REVERT])})
    try:
        values = decode(get_abi_input_types(entry), data[4:])
    except Exception:  # whatever a stranger's contract reverts with: no UTF-8, a length of 2^255
        return ContractRejected("Unknown", {"data": to_hex(data[:LONGEST_REVERT])})
    names = [i.get("name") or str(n) for n, i in enumerate(entry.get("inputs", ()))]
    return ContractRejected(entry["name"], dict(zip(names, values, strict=True)))


def _revert_data(error: Exception) -> bytes | None:
    data: Any = getattr(error, "data", None)
    if isinstance(error, Web3RPCError) and error.rpc_response is not None:
        data = cast(Mapping[str, Any], error.rpc_response.get("error") or {}).get("data")
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x"):
        with suppress(ValueError):  # no hex, by a node's own mistake
            return from_hex(data)
    return data if isinstance(data, bytes) else None


_TOO_MUCH_GAS = re.compile(r"out ?of ?gas|gas required exceeds|(exceeds|exceeded) .{0,40}gas limit", re.IGNORECASE)
"""Words of nodes about a call that no block has room for, without the data of a revert."""


@contextmanager
def rejections() -> Iterator[None]:
    """Turn a revert raised within into ContractRejected, and so a call that takes more gas than a block has.

    Other RPC errors pass through.
    """
    try:
        yield
    except (ContractLogicError, Web3RPCError) as error:
        data = _revert_data(error)
        if data is not None:
            raise decode_revert(data) from error
        if isinstance(error, ContractLogicError):
            raise ContractRejected("Unknown", {"message": str(error)}) from error
        if _TOO_MUCH_GAS.search(str(error)):
            raise ContractRejected("OutOfGas", {"message": str(error)[:LONGEST_REVERT]}) from error
        raise


def build(
    w3: Web3,
    sender: str,
    call: ContractFunction | ContractConstructor,
    *,
    value: int = 0,
    nonce: int | None = None,
    gas: int = 0,
) -> TxParams:
    """Return the transaction of `call` at the market's fees. Its gas is estimated, unless `gas` says how much it takes.

    Raises ContractRejected if it reverts.
    """
    offer = market(w3)
    assert offer is not None, "there is no cap"
    payer = Web3.to_checksum_address(sender)
    params: TxParams = {
        "from": payer,
        "value": Wei(value),
        "chainId": w3.eth.chain_id,
        "nonce": w3.eth.get_transaction_count(payer, "pending") if nonce is None else Nonce(nonce),
        **offer.fields(),
    }
    if gas:
        params["gas"] = gas
    with rejections():
        return call.build_transaction(params)


def send(
    w3: Web3,
    account: LocalAccount,
    call: ContractFunction | ContractConstructor,
    *,
    value: int = 0,
    timeout: float = 60.0,
    gas: int = 0,
) -> TxReceipt:
    """Sign `call` locally, send it and wait for its receipt; raises ContractRejected if it reverts. `gas` as of
    `build`."""
    transaction = build(w3, account.address, call, value=value, gas=gas)
    signed = account.sign_transaction(cast(dict[str, Any], transaction))
    receipt = w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(signed.raw_transaction), timeout, 0.05)
    if receipt["status"] != 1:
        with rejections():
            w3.eth.call(transaction, receipt["blockNumber"])
        raise ContractRejected("Unknown", {"transaction": to_hex(receipt["transactionHash"])})
    return receipt
