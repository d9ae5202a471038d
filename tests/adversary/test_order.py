"""The order of facts (I8): where two facts of one tick change places, all ends as before, but for named races."""

from __future__ import annotations

from random import Random

import pytest

from contracts.protocol.judge.facts import Fact
from tests.adversary.history import History
from tests.adversary.order import Ends, ends, feed, pair, swapped, swaps
from tests.adversary.sim import simulate

pytestmark = pytest.mark.unit

RACES: dict[frozenset[str], str] = {
    frozenset(
        {"Block", "Has"}
    ): "The round closes before or after a block: another one is its beacon. Nobody loses by it.",
    frozenset({"Block", "Lapse"}): "The same, where a lapse closes the round.",
    frozenset({"Enrolled"}): "Of two nodes with one stake the first to enrol has the last place; the other waits.",
    frozenset({"Lapse", "Secret"}): "Who shows its secret as k call it late keeps its seat or loses it, and no stake.",
    frozenset(
        {"Returned", "Words"}
    ): "Who returns before a seat is filled takes it, after it the next of the order does.",
    frozenset({"Returned"}): "Of two who return the first takes the seat that is free; the other has none.",
    frozenset(
        {"Opened", "Words"}
    ): "A bench is called before or after a draw is open: its reader has one period, or another.",
    frozenset({"PledgeOpened", "Words"}): "A pledge before the last word is refused; its node opens it again, in time.",
    frozenset(
        {"Words"}
    ): "k equal words decide: the reason is what most of the first k gave, and of two false segments "
    "the first to be decided ends the reading. Who passed the other one escapes; nobody honest loses.",
}
"""Pairs of facts whose order may change an outcome: who loses what. Never is the loser void, and never slashed."""

SEEDS = range(120)
SWAPS = 4


def chosen(history: History) -> list[int]:
    places = list(swaps(history))
    return Random(history.seed).sample(places, min(SWAPS, len(places)))


def honest_losses(history: History, found: Ends) -> set[tuple[str, ...]]:
    """Honest proofs that are void, and present honest verifiers or honest nodes with a fault."""
    honest = {work.proof for work in history.work.values() if work.honest}
    lost: set[tuple[str, ...]] = {(proof,) for proof in found.void & honest}
    return lost | {f for f in found.faults if f[1] in history.present or (f[0] in honest and f[1] in f[0].split("/"))}


@pytest.mark.parametrize("block", range(6))
def test_only_named_races_change_how_things_end(block: int) -> None:
    for seed in SEEDS[block::6]:
        history = simulate(seed)
        if history.deviations or history.capital:  # an invoice comes in time for one epoch, or for the next
            continue
        before = ends(history.entries)
        for place in chosen(history):
            after = ends(feed(swapped(history, place), history.entries))
            named = pair(history, place)
            assert after == before or named in RACES, f"seed {seed} at fact {place}: {sorted(named)}"
            if history.premise:
                assert honest_losses(history, after) == set(), f"seed {seed} at fact {place}"


def test_the_facts_of_a_log_make_the_same_log_again() -> None:
    for seed in range(40):
        history = simulate(seed)
        told = [entry for entry in history.entries if isinstance(entry, Fact)]
        assert history.deviations or feed(told, history.entries) == history.entries


def test_a_named_race_shows() -> None:
    """Two nodes for one place."""
    found = [(history, place) for history in map(_few, range(60)) for place in swaps(history)]
    races = [
        p for h, p in found if pair(h, p) == {"Enrolled"} and ends(feed(swapped(h, p), h.entries)) != ends(h.entries)
    ]
    assert races


def _few(seed: int) -> History:
    return simulate(seed, "few-places")
