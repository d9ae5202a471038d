"""`RevenueSplitter`: a model's earnings, paid to its holders. Amounts in units of a currency, times in Unix seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils.address import to_checksum_address
from web3 import Web3
from web3.contract.contract import ContractFunction

from contracts.chain.connection import contract_at
from contracts.chain.event_history import EventHistory
from contracts.ids import Address

FRACTION_BITS = 112
"""Shares are kept in fractions of 2^-112 units."""
PAGE = 200
"""Distributions that are asked about in one call: below what a node's `eth_call` may use."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """One distribution; `token_seconds` are those of all holders in the window that ended at `until`."""

    currency: str
    until: int
    amount: int
    token_seconds: int


class RevenueSplitter:
    """The splitter at `address`. Writes return a call to send."""

    def __init__(self, w3: Web3, address: Address) -> None:
        self.w3 = w3
        self.address = address
        self._call = contract_at(w3, "RevenueSplitter", address).functions

    def distributions(self) -> int:
        """How many there are; ids count from 1."""
        return int(self._call.distributions().call())

    def distribution_of(self, id_: int) -> Distribution:
        """One distribution, all zero where there is none of this id."""
        return Distribution(*self._call.distributionOf(id_).call())

    def held_of(self, currency: str) -> int:
        """Units that were distributed and not yet released."""
        return int(self._call.heldOf(to_checksum_address(currency)).call())

    def fraction_of(self, currency: str, account: Address) -> int:
        """The part of one unit that `account` earned, in 2^-112 units; its next release adds it."""
        return int(self._call.fractionOf(to_checksum_address(currency), to_checksum_address(account)).call())

    def releasable(self, id_: int, account: Address) -> int:
        """Units that `release` would pay now."""
        return int(self._call.releasable(id_, to_checksum_address(account)).call())

    def waiting(self, account: Address, first_block: int) -> dict[str, list[int]]:
        """Ids that were never released to `account`, by currency, from the splitter's events since `first_block`.

        Two questions to the chain, however many there are: anybody may distribute junk. Whether `account` has a share
        of them `releasable` says.
        """
        done = self.released_to(account, first_block)
        ids: dict[str, list[int]] = {}
        for id_, currency in self.shared(first_block):
            if id_ not in done:
                ids.setdefault(currency, []).append(id_)
        return ids

    def shared(self, first_block: int) -> list[tuple[int, str]]:
        """Id and currency of every distribution since `first_block`, in order."""
        contract = contract_at(self.w3, "RevenueSplitter", self.address)
        events = EventHistory(contract, ["Distributed"], first_block).until()
        return [(int(event["args"]["id"]), str(event["args"]["currency"])) for event in events]

    def released_to(self, account: Address, first_block: int) -> dict[int, int]:
        """Units that an account was paid of each distribution, by its id, since `first_block`."""
        contract = contract_at(self.w3, "RevenueSplitter", self.address)
        events = EventHistory(contract, ["Released"], first_block).until()
        matches = (event["args"] for event in events if event["args"]["account"] == to_checksum_address(account))
        return {int(arguments["id"]): int(arguments["amount"]) for arguments in matches}

    def due_of(self, account: Address, ids: Sequence[int]) -> list[int]:
        """Units that would be paid of each distribution, asked for `PAGE` at a time: junk is cheap."""
        amounts: list[int] = []
        for start in range(0, len(ids), PAGE):
            page = list(ids[start : start + PAGE])
            amounts += [int(amount) for amount in self._call.releasableOf(page, to_checksum_address(account)).call()]
        return amounts

    def unreleased(self, account: Address, ids: Sequence[int]) -> list[int]:
        """The ids of which `account` can be paid a unit or more."""
        return [id_ for id_, due in zip(ids, self.due_of(account, ids), strict=True) if due]

    def window(self) -> int:
        """Seconds before a distribution in which tokens had to be held."""
        return int(self._call.window().call())

    def distribute(self, currency: str, amount: int) -> ContractFunction:
        """Share units that the sender has approved."""
        return self._call.distribute(to_checksum_address(currency), amount)

    def distribute_surplus(self, currency: str) -> ContractFunction:
        """Share units that came to the splitter by a plain transfer."""
        return self._call.distributeSurplus(to_checksum_address(currency))

    def release(self, id_: int, account: Address) -> ContractFunction:
        """Pay `account` its share of one distribution."""
        return self._call.release(id_, to_checksum_address(account))

    def release_many(self, ids: Sequence[int], account: Address) -> ContractFunction:
        """Pay `account` its shares of several distributions."""
        return self._call.releaseMany(list(ids), to_checksum_address(account))
