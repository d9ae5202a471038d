"""Typed data under a contract's own EIP-712 domain, which it tells itself (ERC-5267)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from web3.contract.contract import ContractFunctions

_DOMAIN = [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")]


def typed_data(
    contract: ContractFunctions, name: str, fields: Sequence[tuple[str, str]], message: dict[str, Any]
) -> dict[str, Any]:
    """What a wallet signs for `contract`: a struct of this name, its fields as (name, Solidity type)."""
    _, domain_name, version, chain_id, address, _, _ = contract.eip712Domain().call()
    return {
        "types": {"EIP712Domain": _named(_DOMAIN), name: _named(fields)},
        "primaryType": name,
        "message": message,
        "domain": {
            "name": domain_name,
            "version": version,
            "chainId": chain_id,
            "verifyingContract": address,
        },
    }


def domain_types() -> list[dict[str, str]]:
    """The fields of every domain here, as typed data names them."""
    return _named(_DOMAIN)


def _named(fields: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]
