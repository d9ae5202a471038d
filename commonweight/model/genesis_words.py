"""A model's terms and the holders of power now, in words: `commonweight model check` shows them."""

from __future__ import annotations

from web3 import Web3

from commonweight.model.currency import CurrencyTerms
from contracts.amounts import TOKENS, VOTES, amount
from contracts.bindings.currency import Currency
from contracts.bindings.token import ModelToken
from contracts.chain.connection import contract_at
from contracts.chain.deployment import Deployment
from contracts.chain.event_history import EventHistory
from contracts.genesis.creation import first_block
from contracts.genesis.params import GenesisParams
from contracts.genesis.rounds import minters
from contracts.ids import as_address

STANDING_MINTER = "standing-minter"
"""The word by which scripts know a warning of an account that can have tokens exist."""


def terms_in_words(w3: Web3, p: GenesisParams) -> list[str]:
    """The price and amount of the funding round, and the votes that a decision takes."""
    floor = f"no decision takes fewer than {amount(p.quorum_floor, VOTES)}, {_share(p.quorum_floor, p.cap)} of the cap"
    if not p.funding_currency:
        return [floor]
    sold = p.tokens_sold()
    paid = CurrencyTerms.of(Currency(w3, as_address(p.funding_currency))).text(p.funding_paid_units)
    price = f"{paid} of {p.funding_currency} for {amount(p.funding_token_units, TOKENS)}"
    return [
        f"the funding round sells at most {amount(sold, TOKENS)}, {_share(sold, p.cap)} of the cap and"
        f" {_share(sold, p.quorum_floor)} of what a decision takes, at {price}",
        floor,
    ]


def large_voters(w3: Web3, d: Deployment) -> list[tuple[str, int]]:
    """The accounts with more than a third of all votes now, and their votes, most first. In 1e-18 tokens."""
    token = contract_at(w3, "ModelToken", d.token)
    events = EventHistory(token, ["DelegateVotesChanged"], first_block(w3, d)).until()
    votes = {str(event["args"]["delegate"]): int(event["args"]["newVotes"]) for event in events}
    supply = ModelToken(w3, d.token).total_supply()
    return sorted(((voter, has) for voter, has in votes.items() if 3 * has > supply), key=lambda pair: -pair[1])


def power_in_words(w3: Web3, d: Deployment) -> list[str]:
    """The accounts with more than a third of the votes, and those that may mint or owe tokens."""
    token = ModelToken(w3, d.token)
    supply = token.total_supply()
    reserved = token.reserved_of(d.distributor)
    lines = [f"{voter} has {amount(has, VOTES)}, {_share(has, supply)} of all" for voter, has in large_voters(w3, d)]
    lines = lines or ["no account has more than a third of the votes"]
    lines.append(
        f"{amount(supply, TOKENS)} exist, and epochs owe {amount(reserved, TOKENS)}, to be claimed at any time"
    )
    return lines + warnings(w3, d)


def warnings(w3: Web3, d: Deployment, pool: str = "") -> list[str]:
    """`standing-minter` for each account beside distributor, first round and `pool` that can have tokens exist."""
    others = [minter for minter in minters(w3, d) if minter.account not in (d.pool, pool)]
    return [f"warning {STANDING_MINTER}: {minter.in_words()}: no vote can take owed tokens back" for minter in others]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.4g} %" if whole else "0 %"
