"""Strategies: who is bad, and how; and how a seed makes a plan of them."""

from __future__ import annotations

from random import Random

from tests.adversary.sim import bad_nodes, bad_operator, bad_others, bad_renters, bad_verifiers
from tests.adversary.sim.bad_operator import Strategy
from tests.adversary.sim.draft import base
from tests.adversary.sim.plan import Plan, mix


def make(seed: int, strategy: str | None = None) -> Plan:
    """The plan of a seed: one strategy, or a pair ("a+b"); where none is named one or two of the seed's choice."""
    random = Random(seed)
    plan = base(seed, random)
    names = strategy.split("+") if strategy is not None else _rented(seed) or _choice(random)
    for name in names:
        STRATEGIES[name](plan, random)
    plan.strategy = "+".join(names)
    return plan


def _choice(random: Random) -> list[str]:
    usual = [name for name in STRATEGIES if name not in RARE | RENTED]
    first = random.choice(usual) if random.random() > 0.01 else random.choice(sorted(RARE))
    second = random.choice([name for name in usual if name != first])
    return [first, second] if random.random() < 0.35 else [first]


def _rented(seed: int) -> list[str]:
    """One seed in forty plays invoices, alone: they have no pairs, and a seed that plays none has the history that it
    always had."""
    return [sorted(RENTED)[mix(f"bills|{seed}") % len(RENTED)]] if mix(f"rented|{seed}") % 40 == 0 else []


def honest(plan: Plan, random: Random) -> None:
    """Nobody departs."""


STRATEGIES: dict[str, Strategy] = {
    "honest": honest,
    "skip": bad_nodes.skip,
    "skip-and-withhold": bad_nodes.skip_and_withhold,
    "skip-and-starve": bad_nodes.skip_and_starve,
    "slow-bytes": bad_nodes.slow_bytes,
    "helped-cheat": bad_nodes.helped_cheat,
    "late-openings": bad_nodes.late_openings,
    "double-proof": bad_nodes.double_proof,
    "canary": bad_nodes.canary,
    "canary-flood": bad_nodes.canary_flood,
    "false-pledge": bad_nodes.false_pledge,
    "withheld-pledge": bad_nodes.withheld_pledge,
    "late-commitment": bad_nodes.late_commitment,
    "half-commitment": bad_nodes.half_commitment,
    "comings-and-goings": bad_nodes.comings_and_goings,
    "liar-on-true": bad_verifiers.liar_on_true,
    "liar-on-false": bad_verifiers.liar_on_false,
    "two-words": bad_verifiers.two_words,
    "silent-seat": bad_verifiers.silent_seat,
    "late-secret": bad_verifiers.late_secret,
    "copier": bad_verifiers.copier,
    "bad-trace": bad_verifiers.bad_trace,
    "bad-merge": bad_verifiers.bad_merge,
    "late-seen": bad_verifiers.late_seen,
    "early-lapses": bad_verifiers.early_lapses,
    "silent-verifier": bad_verifiers.silent_verifier,
    "away": bad_verifiers.away,
    "vanishes": bad_verifiers.vanishes,
    "laggards": bad_verifiers.laggards,
    "operator-drops-node": bad_operator.operator_drops_node,
    "operator-drops-verifier": bad_operator.operator_drops_verifier,
    "operator-never-enters": bad_operator.operator_never_enters,
    "operator-delays": bad_operator.operator_delays,
    "operator-scatters": bad_operator.operator_scatters,
    "operator-repeats": bad_operator.operator_repeats,
    "operator-hides-blocks": bad_operator.operator_hides_blocks,
    "operator-false-block": bad_operator.operator_false_block,
    "operator-helps-cheat": bad_operator.operator_helps_cheat,
    "operator-omits-entry": bad_operator.changes("omitted"),
    "operator-adds-entry": bad_operator.changes("extra"),
    "operator-swaps-entries": bad_operator.changes("swapped"),
    "operator-changes-entry": bad_operator.changes("changed"),
    "fork": bad_operator.fork,
    "restart": bad_operator.restart,
    "chain-stands": bad_others.chain_stands,
    "strangers": bad_others.strangers,
    "holders": bad_others.holders,
    "struck-epoch": bad_others.struck_epoch,
    "falling-limit": bad_others.falling_limit,
    "one-stake": bad_nodes.one_stake,
    "new-anchors": bad_verifiers.new_anchors,
    "verifier-leaves": bad_verifiers.verifier_leaves,
    "unbound": bad_nodes.unbound,
    "early-pledge": bad_nodes.early_pledge,
    "drift": bad_nodes.drift,
    "near-zero": bad_nodes.near_zero,
    "split-bench": bad_nodes.split_bench,
    "lone-reader": bad_nodes.lone_reader,
    "few-places": bad_nodes.few_places,
    "grinder": bad_verifiers.grinder,
    "unasked": bad_verifiers.unasked,
    "operator-passes-blocks": bad_operator.operator_passes_blocks,
    "crowd": bad_others.crowd,
    "last-vote": bad_others.last_vote,
    "few-pairs": bad_verifiers.few_pairs,
    "sleeper": bad_nodes.sleeper,
    "too-many": bad_verifiers.too_many,
    "too-few": bad_verifiers.too_few,
    "lapsed-dispute": bad_others.lapsed_dispute,
    "seized-pay": bad_others.seized_pay,
    "rented": bad_renters.rented,
    "rented-twice": bad_renters.rented_twice,
    "rented-foreign": bad_renters.rented_foreign,
    "rented-dear": bad_renters.rented_dear,
}
RENTED = frozenset(name for name in STRATEGIES if name.startswith("rented"))
RARE = frozenset({"sleeper", "too-many", "too-few"})
