"""The owners of a model, by the token's own events: balances, votes, and delegates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth_utils import to_checksum_address
from web3 import Web3

from contracts.amounts import TOKENS, amount
from contracts.chain.connection import contract_at
from contracts.chain.deployment import Deployment
from contracts.chain.event_history import EventHistory
from contracts.errors import CommonweightError
from contracts.ids import ZERO_ADDRESS, Address, as_address

PPM = 1_000_000
EVENTS = ("Transfer", "DelegateChanged", "DelegateVotesChanged")


class EventsMissing(CommonweightError):
    """The node's events do not add up to the supply that it tells."""

    code = "events-missing"


@dataclass(frozen=True)
class Holder:
    """Amounts in 1e-18 tokens; `delegate` is empty where the account lends its votes to nobody."""

    account: Address
    units: int
    votes: int
    delegate: Address

    def to_json(self, supply: int) -> dict[str, object]:
        """One object of `--json`."""
        return {
            "about": "holder",
            "account": self.account,
            "units": str(self.units),
            "votes": str(self.votes),
            "share_ppm": PPM * self.units // max(1, supply),
            "delegate": self.delegate or None,
        }


@dataclass(frozen=True)
class Holders:
    """All holders of tokens or votes at the end of a block, the largest balance first; `supply` in 1e-18 tokens."""

    block: int
    supply: int
    holders: list[Holder]

    def to_json(self) -> dict[str, object]:
        """The first object of `--json`."""
        return {"about": "holders", "block": self.block, "supply": str(self.supply), "count": len(self.holders)}


@dataclass
class _Book:
    units: dict[str, int] = field(default_factory=dict)
    votes: dict[str, int] = field(default_factory=dict)
    delegates: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, arguments: Any) -> None:
        if name == "DelegateChanged":
            self.delegates[str(arguments["delegator"])] = str(arguments["toDelegate"])
        elif name == "DelegateVotesChanged":
            self.votes[str(arguments["delegate"])] = int(arguments["newVotes"])
        else:
            self._move(as_address(str(arguments["from"])), -int(arguments["value"]))
            self._move(as_address(str(arguments["to"])), int(arguments["value"]))

    def _move(self, account: Address, units: int) -> None:
        if account != ZERO_ADDRESS:
            self.units[account] = self.units.get(account, 0) + units

    def holder(self, account: Address) -> Holder:
        delegate = self.delegates.get(account, ZERO_ADDRESS)
        name = "" if delegate == ZERO_ADDRESS else delegate
        return Holder(account, self.units.get(account, 0), self.votes.get(account, 0), as_address(name))


def read_holders(w3: Web3, deployment: Deployment) -> Holders:
    """All holders now. Raises EventsMissing where a node left some of the token's events out."""
    token = contract_at(w3, "ModelToken", deployment.token)
    book = _Book()
    block = int(w3.eth.block_number)
    for event in EventHistory(token, EVENTS, deployment.block).until(block):
        book.note(event["event"], event["args"])
    supply = int(token.functions.totalSupply().call(block_identifier=block))
    if sum(book.units.values()) != supply:
        sums = f"{amount(sum(book.units.values()), TOKENS)} of {amount(supply, TOKENS)}"
        raise EventsMissing(f"the chain node's events add up to {sums}: ask another node")
    accounts = [to_checksum_address(name) for name in {*book.units, *book.votes}]
    holders = [book.holder(name) for name in accounts if book.units.get(name) or book.votes.get(name)]
    return Holders(block, supply, sorted(holders, key=lambda holder: (-holder.units, -holder.votes, holder.account)))
