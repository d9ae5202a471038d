"""The code and arguments with which each contract of a model was made, read from the transactions that made them.

The code at an address says little: a deployer may return our code and have written other storage before. The init
code, which is ours byte by byte, and the arguments behind it determine code, immutable values and first storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError
from eth_utils.abi import filter_abi_by_type, get_abi_input_types
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import TransactionNotFound
from web3.types import TxData
from web3.utils.address import get_create_address

from contracts.chain.connection import load_artifact
from contracts.chain.deployment import Deployment
from contracts.chain.presence import require_present
from contracts.errors import BadField
from contracts.genesis.params import Arguments
from contracts.genesis.refused import require
from contracts.ids import Address, as_address


@dataclass(frozen=True, slots=True)
class Creation:
    """One contract's making: its maker, its block, the block's second, and the constructor's arguments."""

    contract: str
    address: Address
    maker: str
    block: int
    time: int
    arguments: Arguments


def contract_names(d: Deployment) -> tuple[str, ...]:
    """The names of the contracts in the order of `Deployment.contracts()`."""
    names = ("ModelToken", "ModelTimelock", "ModelGovernor", "VerifierRegistry", "EpochDistributor", "RevenueSplitter")
    return (*names, "ModelRegistry", *(["CapitalPool"] if d.pool else []))


def creations(w3: Web3, d: Deployment) -> dict[str, Creation]:
    """How each contract was made, by contract name. Raises GenesisRefused where it was not made by our code."""
    names = contract_names(d)
    addresses = d.contracts()
    require(len(set(addresses)) == len(addresses), "one address stands for two contracts")
    require(len(d.creations) == len(names), f"{len(d.creations)} creations are named for {len(names)} contracts")
    rows = zip(names, addresses, d.creations, strict=True)
    return {name: creation_of(w3, name, as_address(address), transaction) for name, address, transaction in rows}


def first_block(w3: Web3, d: Deployment) -> int:
    """The block in which the first of a model's own contracts was made: none of them said anything before.

    Raises ChainOther and ChainWithoutContract on another chain, and BadField where this one lacks a transaction.
    """
    hashes = [digest for digest, address in zip(d.creations, d.contracts(), strict=True) if address != d.model_registry]
    try:
        return min(int(w3.eth.get_transaction_receipt(HexBytes(digest))["blockNumber"]) for digest in hashes)
    except TransactionNotFound as error:
        require_present(w3, d)
        raise BadField(f"creations must be of this chain: {error}") from error


def creation_of(w3: Web3, name: str, address: Address, transaction: str) -> Creation:
    """How the contract at an address was made, by the hash of the transaction that is said to have made it.

    Raises GenesisRefused.
    """
    try:
        tx = w3.eth.get_transaction(HexBytes(transaction))
        receipt = w3.eth.get_transaction_receipt(HexBytes(transaction))
    except (TransactionNotFound, ValueError):
        require(False, f"the chain has no transaction {transaction[:80]}, which is said to have made {name}")
        raise
    created = get_create_address(tx["from"], tx["nonce"])
    require(not tx.get("to") and receipt["status"] == 1, f"transaction {transaction} makes no contract")
    require(created == address, f"transaction {transaction} made {created}, not the {name} at {address}")
    number = int(receipt["blockNumber"])
    time = int(w3.eth.get_block(number)["timestamp"])
    return Creation(name, address, str(tx["from"]), number, time, _arguments(w3, name, tx))


def _arguments(w3: Web3, name: str, tx: TxData) -> Arguments:
    """Raises GenesisRefused unless the init code is ours, and behind it arguments stand in their one encoding."""
    data = bytes(tx["input"])
    code = bytes(HexBytes(load_artifact(name)["bytecode"]))
    require(data.startswith(code), f"{name} was made by other code than ours")
    types = _types(name)
    try:
        arguments = tuple(w3.codec.decode(types, data[len(code) :]))
    except (DecodingError, OverflowError, UnicodeDecodeError):
        require(False, f"{name} was made with arguments that cannot be read")
        raise
    require(
        w3.codec.encode(types, arguments) == data[len(code) :], f"{name} was made with arguments that are not plain"
    )
    return tuple(_plain(kind, value) for kind, value in zip(types, arguments, strict=True))


def _types(name: str) -> list[str]:
    constructors = filter_abi_by_type("constructor", load_artifact(name)["abi"])
    return get_abi_input_types(constructors[0]) if constructors else []


def _plain(kind: str, value: Any) -> Any:
    """As Python and a deployment write it: addresses in checksum, lists as lists."""
    if kind == "address":
        return Web3.to_checksum_address(value)
    if kind == "address[]":
        return [Web3.to_checksum_address(element) for element in value]
    if kind.startswith("("):
        return tuple(_plain(part, element) for part, element in zip(kind[1:-1].split(","), value, strict=True))
    return value
