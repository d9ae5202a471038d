"""Terms under which somebody would be robbed, locked out or ruled by few: none may pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from contracts.genesis.params import GenesisParams
from tests.contracts.genesis.maker import Tampered

DAY, YEAR = 86_400, 31_536_000
TERMS: dict[str, tuple[str, dict[str, Any]]] = {
    "votes that begin at once": ("voting_delay is 0", {"voting_delay": 0}),
    "votes that begin in a second": ("voting_delay is 1", {"voting_delay": 1}),
    "votes that begin in a year": ("voting_delay is", {"voting_delay": YEAR}),
    "votes of a second": ("voting_period is 1", {"voting_period": 1, "late_quorum_extension": 1}),
    "votes of an hour": ("voting_period is 3600", {"voting_period": 3_600}),
    "votes of a year": ("voting_period is", {"voting_period": YEAR}),
    "decisions that act at once": ("timelock_delay is 0", {"timelock_delay": 0}),
    "decisions that act in a second": ("timelock_delay is 1", {"timelock_delay": 1}),
    "decisions that act in a year": ("timelock_delay is", {"timelock_delay": YEAR}),
    "no answer to a late quorum": ("late_quorum_extension is 0", {"late_quorum_extension": 0}),
    "no window to challenge in": ("challenge_window is 1", {"challenge_window": 1}),
    "a window of a year": ("challenge_window is", {"challenge_window": YEAR}),
    "disputes shorter than a vote": ("dispute_limit is 3600", {"dispute_limit": 3_600}),
    "disputes as long as a vote and no longer": (
        "a vote on it takes",
        {"voting_period": 2 * DAY, "dispute_limit": 3 * DAY + 7_200 + DAY},
    ),
    "disputes of ten years": ("dispute_limit is", {"dispute_limit": 10 * YEAR}),
    "a quorum of nobody": ("quorum_fraction is 0", {"quorum_fraction": 0}),
    "a quorum of nearly all": ("quorum_fraction is 99", {"quorum_fraction": 99}),
    "no floor under the quorum": ("quorum_floor is 0", {"quorum_floor": 0}),
    "a floor of a unit": ("quorum_floor is 1", {"quorum_floor": 1}),
    "a floor above the cap": ("can never be reached", {"quorum_floor": 10**27 + 1}),
    "a floor above all that can be minted": ("is not reached by", {"budget": 10**24, "quorum_floor": 10**26}),
    "a floor after a thousand years of epochs": ("is not reached by", {"max_epoch_total": 10**20}),
    "proposals for nobody": ("proposal_threshold is", {"proposal_threshold": 10**26}),
    "epochs that pay more than there is": ("max_epoch_total is", {"budget": 10**23, "quorum_floor": 2 * 10**22}),
    "epochs that pay nothing": ("max_epoch_total is 0", {"max_epoch_total": 0}),
    "one signature is a quorum": ("threshold is 1", {"threshold": 1}),
    "all verifiers are a quorum": ("none could be punished", {"threshold": 3}),
    "verifiers without a stake": ("min_stake is 1", {"min_stake": 1}),
    "a stake that nobody has": ("min_stake is", {"min_stake": 10**30}),
    "challenges for nothing": ("bond is 1", {"bond": 1}),
    "challenges that nobody can pay": ("bond is", {"bond": 10**30}),
    "faults that cost a verifier nothing": ("^slash_cap is 1", {"slash_cap": 1}),
    "faults that cost a node nothing": ("node_slash_cap is 1", {"node_slash_cap": 1}),
    "stakes that leave at once": ("node_withdrawal_delay is 1", {"node_withdrawal_delay": 1}),
    "stakes that never leave": ("node_withdrawal_delay is", {"node_withdrawal_delay": 10 * YEAR}),
    "revenue of one second": ("revenue_window is 1", {"revenue_window": 1}),
    "revenue of a week and a second": ("revenue_window is", {"revenue_window": 7 * DAY + 1}),
    "revenue of half a year": ("revenue_window is", {"revenue_window": 190 * DAY}),
    "a round whose buyers alone decide": (
        "its buyers alone would",
        {"funding_hard_cap": 10**25, "funding_soft_cap": 10**24},
    ),
    "half of the cap for one unit of a coin": (
        "its buyers alone would",
        {"budget": 5 * 10**26, "funding_soft_cap": 1, "funding_hard_cap": 1, "funding_token_units": 5 * 10**26},
    ),
    "one epoch decides alone": ("one epoch alone would", {"max_epoch_total": 2 * 10**25}),
    "challenges that cost more than lies": ("risks more than a false root", {"bond": 2 * 10**18}),
    "verifiers who can lose less than it says": ("less is at stake", {"slash_cap": 10**19}),
    "verifiers with little to lose": ("little is lost", {"min_stake": 10**20}),
    "disputes that end in a pause": ("a vote on it takes", {"dispute_limit": 20 * DAY}),
    "a round of a minute": ("funding_seconds is", {"funding_seconds": 60}),
    "a round of ten years": ("funding_seconds is", {"funding_seconds": 10 * YEAR}),
    "a round whose money goes at once": ("money is released|funding_settlement is", {"funding_settlement": 60}),
    "a round whose money goes while old proposals live": ("money is released", {"funding_settlement": 15 * DAY}),
    "a round whose money stays for ten years": ("funding_settlement is", {"funding_settlement": 10 * YEAR}),
}
"""What is said, and the terms. Contracts refuse some of them as well; whoever joins does not ask why."""


def on(fields: dict[str, Any]) -> Tampered:
    """A genesis on these terms."""

    def params(p: GenesisParams) -> GenesisParams:
        return replace(p, **fields)

    return Tampered(params=params)
