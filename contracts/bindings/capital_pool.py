"""`CapitalPool`: one funding round. Money in units of its currency, tokens in 1e-18 tokens, times in Unix seconds."""

from __future__ import annotations

from enum import IntEnum

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.bindings.currency import Currency
from contracts.chain.connection import contract_at
from contracts.chain.event_history import EventHistory
from contracts.ids import Address, as_address, from_hex


class PoolStatus(IntEnum):
    """The status of a funding round."""

    OPEN = 0
    SUCCEEDED = 1
    FAILED = 2


class CapitalPool:
    """The pool at `address`. Writes return a call to send."""

    def __init__(self, w3: Web3, address: Address) -> None:
        self.w3 = w3
        self.address = address
        self._contract = contract_at(w3, "CapitalPool", address)
        self._call = self._contract.functions

    def currency(self) -> Currency:
        """The currency that is paid in."""
        return Currency(self.w3, as_address(str(self._call.currency().call())))

    def token(self) -> str:
        """Address of the token that is sold."""
        return str(self._call.token().call())

    def status(self) -> PoolStatus:
        """The round's status; it may be over only from the next block on."""
        return PoolStatus(self._call.status().call())

    def caps(self) -> tuple[int, int]:
        """Soft cap, below which all are refunded, and hard cap."""
        return int(self._call.softCap().call()), int(self._call.hardCap().call())

    def price(self) -> tuple[int, int]:
        """1e-18 tokens that are sold, for how many units of the currency."""
        return int(self._call.tokenUnits().call()), int(self._call.paidUnits().call())

    def is_cancelled(self) -> bool:
        """Whether the holders ended the round."""
        return bool(self._call.cancelled().call())

    def deadline(self) -> int:
        """The second in which the round ends."""
        return int(self._call.deadline().call())

    def release_at(self) -> int:
        """Until when buyers may leave, and from when on the holders can pay with the money."""
        return int(self._call.releaseAt().call())

    def withdraw_until(self) -> int:
        """From when on deposits stay until the deadline: the round's last quarter."""
        return int(self._call.withdrawUntil().call())

    def deposited(self) -> int:
        """Units that were paid in and not taken back while the round was open."""
        return int(self._call.deposited().call())

    def refunded(self) -> int:
        """Units that were paid back after the round."""
        return int(self._call.refunded().call())

    def paid(self) -> int:
        """Units that the holders paid out."""
        return int(self._call.paidOut().call())

    def claimed(self) -> int:
        """Units of the deposits for which tokens were minted."""
        return int(self._call.claimed().call())

    def held(self) -> int:
        """Deposits - refunds - payments."""
        return int(self._call.held().call())

    def spendable(self) -> int:
        """Units that the holders can pay from `release_at` on: all, or of a failed round the claimers' payments."""
        return int(self._call.spendable().call())

    def deposit_of(self, account: Address) -> int:
        """Units that `account` has neither claimed nor been refunded."""
        return int(self._call.depositOf(to_checksum_address(account)).call())

    def bought_by(self, account: Address, first_block: int) -> int:
        """Units of `account` in the round, claimed or not: its deposit, or the part for which it was minted tokens.

        `first_block` is one before which nobody can have claimed.
        """
        account = to_checksum_address(account)
        indexed = [bytes(12) + from_hex(account)]
        minted = EventHistory(self._contract, ["Claimed"], first_block, indexed).until()
        return self.deposit_of(account) + sum(int(event["args"]["paid"]) for event in minted)

    def tokens_for(self, paid: int) -> int:
        """Tokens for a whole deposit, rounded down."""
        return int(self._call.tokensFor(paid).call())

    def receipt_of(self, account: Address) -> bytes:
        """32-byte mint receipt of the account's claim."""
        return bytes(self._call.receiptOf(to_checksum_address(account)).call())

    def deposit(self, amount: int) -> ContractFunction:
        """Pay in the units that the sender has approved, at most `amount` and up to the hard cap."""
        return self._call.deposit(amount)

    def deposit_with_permit(self, amount: int, deadline: int, signature: tuple[int, bytes, bytes]) -> ContractFunction:
        """Pay in under the sender's permit (v, r, s) for exactly `amount`, valid up to `deadline`."""
        return self._call.depositWithPermit(amount, deadline, *signature)

    def sign_permit(self, account: LocalAccount, amount: int, deadline: int) -> tuple[int, bytes, bytes]:
        """The permit (v, r, s) that `deposit_with_permit` takes from `account`."""
        return self.currency().sign_permit(account, self.address, amount, deadline)

    def withdraw(self) -> ContractFunction:
        """Take the sender's whole deposit back while the round is open, but not in its last quarter."""
        return self._call.withdraw()

    def leave(self) -> ContractFunction:
        """Take the sender's deposit back after the round, instead of its tokens."""
        return self._call.exit()

    def refund(self, account: Address) -> ContractFunction:
        """Pay `account` back after the round failed."""
        return self._call.refund(to_checksum_address(account))

    def claim(self, account: Address) -> ContractFunction:
        """Mint `account` its tokens after the round succeeded: the sender's; anybody's once money is released."""
        return self._call.claim(to_checksum_address(account))

    def pay(self, to: str, amount: int) -> ContractFunction:
        """Pay the holders' money, once buyers may leave no more (timelock)."""
        return self._call.pay(to_checksum_address(to), amount)

    def cancel(self) -> ContractFunction:
        """End an open round, so that all are refunded (timelock)."""
        return self._call.cancel()

    def recover_surplus(self, asset: str) -> ContractFunction:
        """Send units that came here without a deposit to the treasury."""
        return self._call.recoverSurplus(to_checksum_address(asset))
