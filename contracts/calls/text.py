"""A call of one of the model's own functions, written by a person: `Contract.function name=value ...`.

Every power of the holders is such a call, so each can be proposed: names and types are those of the contract's own ABI,
and nothing is guessed. The effect of a call is told by contracts/calls/words.py, from its bytes.

A payment of the treasury in other money is written as `Currency@0x...transfer to=... value=...` (ERC-20), and coins as
`Coins.send to=... wei=...`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eth_typing.abi import ABIComponent
from eth_utils.abi import filter_abi_by_type
from eth_utils.address import is_checksum_formatted_address, is_hex_address, to_checksum_address
from web3 import Web3

from contracts.bindings.governor import Action
from contracts.calls.words import contract_names
from contracts.chain.connection import contract_at, load_artifact
from contracts.chain.deployment import Deployment
from contracts.errors import BadField
from contracts.ids import as_address, from_hex

CURRENCY, CURRENCY_ABI, COINS = "Currency@", "ModelToken", "Coins.send"
"""The token is an ERC-20 (EIP-20): its functions of that standard are those of any other."""
LONGEST = 40_000
"""Characters of a call."""


def parse_call(w3: Web3, deployment: Deployment, text: str) -> Action:
    """The call that a text means. Raises BadField, which names the mistake and the right form."""
    name, arguments = _parts(text)
    if name == COINS:
        return _coins(arguments)
    contract, _, function = name.partition(".")
    address = _address_of(deployment, contract)
    contract = CURRENCY_ABI if contract.startswith(CURRENCY) else contract
    inputs = _inputs(contract, function, arguments)
    values = [_value(str(part["name"]), str(part["type"]), arguments[part["name"]]) for part in inputs]
    signature = f"{function}({','.join(str(part['type']) for part in inputs)})"
    return Action.of(contract_at(w3, contract, as_address(address)).get_function_by_signature(signature)(*values))


def _address_of(deployment: Deployment, contract: str) -> str:
    """Raises BadField."""
    if contract.startswith(CURRENCY):
        return _address("currency", "", contract.removeprefix(CURRENCY))
    addresses = {name: at for at, name in contract_names(deployment).items()}
    if contract not in addresses:
        raise BadField(
            f"contract must be one of {', '.join(sorted(addresses))}, {CURRENCY}0x... or Coins: {contract[:80]}"
        )
    return addresses[contract]


def _coins(arguments: Mapping[str, str]) -> Action:
    if arguments.keys() != {"to", "wei"}:
        raise BadField(f"{COINS} takes (to: address, wei: uint256); given are {', '.join(arguments) or 'none'}")
    return Action(_address("to", "", arguments["to"]), b"", _whole("wei", "uint256", arguments["wei"]))


def _parts(text: str) -> tuple[str, dict[str, str]]:
    if len(text) > LONGEST:
        raise BadField(f"a call must have at most {LONGEST} characters")
    try:
        name, *pairs = shlex.split(text)
    except ValueError as error:
        raise BadField(f"a call must be written as Contract.function name=value ...: {error}") from error
    arguments: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or key in arguments:
            raise BadField(f"each argument must be name=value, once: {pair[:80]}")
        arguments[key] = value
    return name, arguments


def _inputs(contract: str, function: str, arguments: Mapping[str, str]) -> Sequence[ABIComponent]:
    """The inputs of the function of that name that has just these arguments."""
    functions = filter_abi_by_type("function", load_artifact(contract)["abi"])
    writes = [entry for entry in functions if entry["stateMutability"] not in ("view", "pure")]
    overloads = [entry.get("inputs", ()) for entry in writes if entry["name"] == function]
    if not overloads:
        names = sorted({entry["name"] for entry in writes})
        raise BadField(f"{contract} has no {function}; it has {', '.join(names)}")
    for inputs in overloads:
        if {part["name"] for part in inputs} == arguments.keys():
            return inputs
    choices = " or ".join("(" + ", ".join(f"{p['name']}: {p['type']}" for p in inputs) + ")" for inputs in overloads)
    raise BadField(f"{contract}.{function} takes {choices}; given are {', '.join(arguments) or 'none'}")


def _value(name: str, kind: str, text: str) -> Any:
    reader = _READERS.get(kind.rstrip("0123456789"))
    if reader is None:
        raise BadField(f"{name} is of type {kind}, which cannot be written here")
    return reader(name, kind, text)


def _address(name: str, _kind: str, text: str) -> str:
    if not is_hex_address(text) or not text.startswith("0x"):
        raise BadField(f"{name} must be an address, 0x and 40 hex digits: {text[:80]}")
    checksummed = str(to_checksum_address(text))
    if is_checksum_formatted_address(text) and text != checksummed:
        raise BadField(f"{name} has a wrong checksum; a digit is mistyped: {text}")
    return checksummed


def _whole(name: str, kind: str, text: str) -> int:
    bits = int(kind.removeprefix("uint") or 256)
    if not text.isascii() or not text.isdigit() or len(text) > 78 or int(text) >> bits:
        raise BadField(f"{name} must be a whole number of at most {bits} bits: {text[:80]}")
    return int(text)


def _truth(name: str, _kind: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise BadField(f"{name} must be true or false: {text[:80]}")
    return text == "true"


def _octets(name: str, kind: str, text: str) -> bytes:
    length = kind.removeprefix("bytes")
    try:
        if not text.startswith("0x"):
            raise ValueError("no 0x")
        data = from_hex(text)
    except ValueError:
        raise BadField(f"{name} must be bytes, 0x and hex digits: {text[:80]}") from None
    if length and len(data) != int(length):
        raise BadField(f"{name} must be {length} bytes, has {len(data)}")
    return data


def _text(name: str, _kind: str, text: str) -> str:
    if any(0xD800 <= ord(character) < 0xE000 for character in text):
        raise BadField(f"{name} holds bytes that are no UTF-8 text")
    return text


_READERS: dict[str, Callable[[str, str, str], Any]] = {
    "address": _address,
    "uint": _whole,
    "bool": _truth,
    "bytes": _octets,
    "string": _text,
}
