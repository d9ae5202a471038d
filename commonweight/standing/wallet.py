"""An account's balance, pay and votes as sums, by the wallet's own chain."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from commonweight.standing.claims import ClaimState
from commonweight.standing.model import WalletModel
from commonweight.standing.owed import Owed
from contracts.amounts import amount
from contracts.ids import ZERO_ADDRESS, Address, as_address

COMING = (ClaimState.UNSIGNED, ClaimState.FALLEN, ClaimState.IN_WINDOW, ClaimState.DISPUTED)
"""States of lines that are not owed for good: their root may fall."""
CLAIMABLE = (ClaimState.CLAIMABLE, ClaimState.CONTRACT)


@dataclass(frozen=True)
class Holding:
    """Amounts in 1e-18 tokens; `owed` is claimable or waits for its epoch, `delegate` is empty where votes lie idle."""

    account: Address
    currency: str
    balance: int
    supply: int
    owed: int
    claimable: int
    claimed: int
    votes: int
    delegate: Address

    @classmethod
    def read(cls, model: WalletModel, owed: Owed) -> Holding:
        """Sums of the lines, and the account's values in the token."""
        token = model.token
        account = owed.account
        delegate = token.delegate_of(account)
        return cls(
            account,
            model.symbol(),
            token.balance_of(account),
            token.total_supply(),
            owed.units(*COMING, *CLAIMABLE),
            owed.units(*CLAIMABLE),
            owed.units(ClaimState.CLAIMED),
            token.votes(account),
            as_address("" if delegate == ZERO_ADDRESS else delegate),
        )

    def to_json(self) -> dict[str, object]:
        """One object of `--json`: amounts as text, null for nobody."""
        texts = {name: str(value) if isinstance(value, int) else value for name, value in asdict(self).items()}
        return {"about": "wallet", **texts, "delegate": self.delegate or None}

    def lines(self) -> list[str]:
        """Lines for people."""
        share = 100 * self.balance / max(1, self.supply)
        lends = {"": "its own votes do not count before it delegates them", self.account: "it votes itself"}
        votes = lends.get(self.delegate, f"its own votes are lent to {self.delegate}")
        return [
            f"holds      {amount(self.balance, self.currency)} ({share:.2f} % of supply)",
            f"owed       {amount(self.owed, self.currency)}; claimable now {amount(self.claimable, self.currency)}",
            f"claimed    {amount(self.claimed, self.currency)}",
            f"votes      {amount(self.votes, self.currency)}; {votes}",
        ]
