"""Typed data under a contract's own EIP-712 domain, which it tells itself (ERC-5267)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_account.messages import SignableMessage, encode_typed_data
from web3.contract.contract import ContractFunctions

_DOMAIN = [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")]


@dataclass(frozen=True)
class TypedMessage:
    """The typed data that a wallet signs for a contract: a struct of this name, its fields as (name, Solidity type)."""

    domain: Mapping[str, object]
    name: str
    fields: Sequence[tuple[str, str]]
    message: Mapping[str, object]

    def types(self) -> dict[str, list[dict[str, str]]]:
        """The structs by name, the domain's among them."""
        return {"EIP712Domain": domain_types(), self.name: _named(self.fields)}

    def signable(self) -> SignableMessage:
        """As keys sign it."""
        return encode_typed_data(dict(self.domain), {self.name: _named(self.fields)}, dict(self.message))


def typed_data(
    contract: ContractFunctions, name: str, fields: Sequence[tuple[str, str]], message: Mapping[str, object]
) -> TypedMessage:
    """The typed data that a wallet signs for `contract`, whose domain is read from it."""
    _, domain_name, version, chain_id, address, _, _ = contract.eip712Domain().call()
    domain = {"name": domain_name, "version": version, "chainId": chain_id, "verifyingContract": address}
    return TypedMessage(domain, name, fields, message)


def domain_types() -> list[dict[str, str]]:
    """The fields of every domain here, as typed data names them."""
    return _named(_DOMAIN)


def _named(fields: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]
