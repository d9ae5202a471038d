"""A model's parameters at its start, and the constructor arguments that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.chain.deployment import Deployment
from contracts.ids import ZERO_ADDRESS, from_hex


@dataclass(frozen=True, slots=True)
class GenesisParams:
    """A model's parameters at its start. Times in seconds, token amounts in 1e-18 tokens, stakes in wei.

    With a `funding_currency` (address of an ERC-20) there is a funding round, its caps in units of that currency.
    """

    voting_delay: int = 86_400
    voting_period: int = 86_400
    timelock_delay: int = 3_600
    late_quorum_extension: int = 3_600
    challenge_window: int = 3_600
    dispute_limit: int = 2_592_000
    quorum_fraction: int = 4
    quorum_floor: int = 10**25
    proposal_threshold: int = 0
    cap: int = 10**27
    budget: int = 10**27
    max_epoch_total: int = 10**24
    threshold: int = 2
    min_stake: int = 10**18
    bond: int = 10**17
    slash_cap: int = 10**18
    node_slash_cap: int = 10**18
    node_withdrawal_delay: int = 7_776_000
    revenue_window: int = 604_800
    funding_currency: str = ""
    funding_soft_cap: int = 0
    funding_hard_cap: int = 0
    funding_seconds: int = 2_592_000
    funding_settlement: int = 3_024_000
    funding_token_units: int = 1
    funding_paid_units: int = 1

    def tokens_sold(self) -> int:
        """Tokens that the funding round mints at its hard cap; 0 without one."""
        return (
            self.funding_hard_cap * self.funding_token_units // self.funding_paid_units if self.funding_currency else 0
        )

    def vote_seconds(self) -> int:
        """From a proposal to its execution, without what it may lie about."""
        return self.voting_delay + self.voting_period + self.late_quorum_extension + self.timelock_delay

    def distributor_budget(self) -> int:
        """Tokens that the distributor may reserve at first: a funding round's tokens are kept free for it."""
        return min(self.budget, self.cap - self.tokens_sold())


Arguments = tuple[Any, ...]


def arguments_of(
    d: Deployment, p: GenesisParams, symbol: str, verifiers: Sequence[str], deadline: int
) -> dict[str, Arguments]:
    """Constructor arguments by contract name; `deadline` is the funding round's end in Unix seconds."""
    rules = (
        p.threshold,
        p.min_stake,
        p.challenge_window,
        p.dispute_limit,
        p.bond,
        p.slash_cap,
        p.max_epoch_total,
        p.node_slash_cap,
        p.node_withdrawal_delay,
        p.quorum_floor,
    )
    votes = (p.voting_delay, p.voting_period, p.proposal_threshold, p.quorum_fraction, p.quorum_floor)
    model = from_hex(d.model)
    arguments: dict[str, Arguments] = {
        "ModelTimelock": (p.timelock_delay, [], [ZERO_ADDRESS], d.deployer),
        "ModelToken": (d.name, symbol, p.cap, d.deployer, d.timelock),
        "ModelGovernor": (d.name, d.token, d.timelock, *votes, p.late_quorum_extension),
        "VerifierRegistry": (d.timelock, model, d.distributor, list(verifiers), rules),
        "EpochDistributor": (d.token, d.verifier_registry),
        "RevenueSplitter": (d.token, p.revenue_window),
        "ModelRegistry": (),
    }
    if d.pool:
        arguments["CapitalPool"] = (d.token, d.timelock, round_terms(p, deadline))
    return arguments


def round_terms(p: GenesisParams, deadline: int) -> Arguments:
    """The pool's `Terms` struct."""
    caps = (p.funding_soft_cap, p.funding_hard_cap)
    price = (p.funding_token_units, p.funding_paid_units)
    return (p.funding_currency, *caps, deadline, *price, p.funding_settlement)


def params_of(arguments: Mapping[str, Arguments], distributor_budget: int, began: int) -> GenesisParams:
    """The parameters in constructor arguments; `began` is the second (Unix) in which the funding round was made."""
    _, _, _, delay, period, threshold, fraction, floor, extension = arguments["ModelGovernor"]
    k, min_stake, window, limit, bond, slash, total, node_slash, node_delay, _ = arguments["VerifierRegistry"][-1]
    return GenesisParams(
        voting_delay=delay,
        voting_period=period,
        timelock_delay=arguments["ModelTimelock"][0],
        late_quorum_extension=extension,
        challenge_window=window,
        dispute_limit=limit,
        quorum_fraction=fraction,
        quorum_floor=floor,
        proposal_threshold=threshold,
        cap=arguments["ModelToken"][2],
        budget=distributor_budget,
        max_epoch_total=total,
        threshold=k,
        min_stake=min_stake,
        bond=bond,
        slash_cap=slash,
        node_slash_cap=node_slash,
        node_withdrawal_delay=node_delay,
        revenue_window=arguments["RevenueSplitter"][1],
        **_funding(arguments, began),
    )


def _funding(arguments: Mapping[str, Arguments], began: int) -> Mapping[str, Any]:
    if "CapitalPool" not in arguments:
        return {}
    currency, soft, hard, deadline, tokens, paid, settlement = arguments["CapitalPool"][2]
    return {
        "funding_currency": currency,
        "funding_soft_cap": soft,
        "funding_hard_cap": hard,
        "funding_seconds": deadline - began,
        "funding_settlement": settlement,
        "funding_token_units": tokens,
        "funding_paid_units": paid,
    }
