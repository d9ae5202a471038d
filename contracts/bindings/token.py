"""`ModelToken`: ownership of one model. Amounts in 1e-18 tokens."""

from __future__ import annotations

from dataclasses import dataclass

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.bindings.own_domain import TypedMessage, typed_data
from contracts.chain.connection import contract_at, rejections
from contracts.errors import BadSignature
from contracts.ids import Address

_DELEGATION = [("delegatee", "address"), ("nonce", "uint256"), ("expiry", "uint256")]


@dataclass(frozen=True, slots=True)
class Delegation:
    """The loan of an account's votes: OpenZeppelin's EIP-712 `Delegation`; `expiry` is the last Unix second at which
    the signature counts."""

    to: str
    nonce: int
    expiry: int


class ModelToken:
    """The token at `address`. Reads raise ContractRejected; writes return a call to send."""

    def __init__(self, w3: Web3, address: Address) -> None:
        self.w3 = w3
        self.address = address
        self._call = contract_at(w3, "ModelToken", address).functions

    def balance_of(self, account: Address) -> int:
        """Tokens of `account`."""
        return int(self._call.balanceOf(account).call())

    def total_supply(self) -> int:
        """Tokens in existence."""
        return int(self._call.totalSupply().call())

    def symbol(self) -> str:
        """Name of the token's unit, as its deployer chose."""
        return str(self._call.symbol().call())

    def cap(self) -> int:
        """The most tokens that can ever exist."""
        return int(self._call.cap().call())

    def votes(self, account: Address) -> int:
        """Votes delegated to `account` now."""
        return int(self._call.getVotes(account).call())

    def past_votes(self, account: Address, timestamp: int) -> int:
        """Votes of `account` at a past Unix second."""
        with rejections():
            return int(self._call.getPastVotes(account, timestamp).call())

    def token_seconds(self, account: Address, since: int, until: int) -> int:
        """Tokens of an account times the seconds for which it held them between two past Unix seconds."""
        return int(self._call.tokenSeconds(account, since, until).call())

    def supply_seconds(self, since: int, until: int) -> int:
        """All tokens times the seconds for which they existed between two past Unix seconds."""
        return int(self._call.supplySeconds(since, until).call())

    def past_balance(self, account: Address, timestamp: int) -> int:
        """Tokens of `account` at a past Unix second, also where its votes were lent."""
        with rejections():
            return int(self._call.getPastBalance(account, timestamp).call())

    def past_total_supply(self, timestamp: int) -> int:
        """Tokens in existence at a past Unix second."""
        with rejections():
            return int(self._call.getPastTotalSupply(timestamp).call())

    def delegate_of(self, account: Address) -> str:
        """The account to which `account` lends its votes."""
        return str(self._call.delegates(account).call())

    def budget_of(self, minter: str) -> int:
        """Tokens that `minter` may still reserve."""
        return int(self._call.budgetOf(minter).call())

    def reserved_of(self, minter: str) -> int:
        """Tokens that `minter` owes, and no vote takes back."""
        return int(self._call.reservedOf(minter).call())

    def reserve(self, amount: int) -> ContractFunction:
        """Move tokens that the sender owes from now on out of its budget."""
        return self._call.reserve(amount)

    def mint(self, receipt: bytes, to: str, amount: int) -> ContractFunction:
        """Pay a receipt out of the sender's reserve; that it pays once is the sender's to keep."""
        return self._call.mint(receipt, to, amount)

    def allotted(self) -> int:
        """Supply, budgets and reserves together, at most the cap, in 1e-18 tokens."""
        return int(self._call.allotted().call())

    def set_budget(self, minter: str, budget: int) -> ContractFunction:
        """Set the tokens that a minter may reserve (timelock); with all others and the supply not beyond the cap."""
        return self._call.setBudget(minter, budget)

    def set_minting_paused(self, paused: bool) -> ContractFunction:
        """Stop minting for two weeks at most, or resume it (guardian)."""
        return self._call.setMintingPaused(paused)

    def delegate(self, to: str) -> ContractFunction:
        """Lend the sender's votes."""
        return self._call.delegate(to)

    def nonce(self, account: Address) -> int:
        """Nonce of the account's next signed delegation."""
        return int(self._call.nonces(account).call())

    def sign_delegation(self, account: LocalAccount, delegation: Delegation) -> bytes:
        """65-byte signature of a delegation."""
        return bytes(account.sign_message(self.delegation_typed_data(delegation).signable()).signature)

    def signer_of(self, delegation: Delegation, signature: bytes) -> str:
        """Checksum address of a delegation's signer. Raises BadSignature."""
        try:
            return str(Account.recover_message(self.delegation_typed_data(delegation).signable(), signature=signature))
        except Exception as error:  # the library raises its own and its backend's exceptions
            raise BadSignature(f"signature does not recover to a key: {error}") from error

    def delegate_by_sig(self, delegation: Delegation, signature: bytes) -> ContractFunction:
        """Lend the votes of the signer."""
        r = signature[:32]
        s = signature[32:64]
        v = signature[64]
        return self._call.delegateBySig(delegation.to, delegation.nonce, delegation.expiry, v, r, s)

    def delegation_typed_data(self, delegation: Delegation) -> TypedMessage:
        """EIP-712 typed data that a holder signs."""
        message = {"delegatee": delegation.to, "nonce": delegation.nonce, "expiry": delegation.expiry}
        return typed_data(self._call, "Delegation", _DELEGATION, message)

    def transfer(self, to: str, amount: int) -> ContractFunction:
        """Send tokens."""
        return self._call.transfer(to, amount)
