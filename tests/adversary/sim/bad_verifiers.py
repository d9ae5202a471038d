"""Strategies of verifiers, and verifiers that are away."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from contracts.ids import as_address
from tests.adversary.sim.bad_nodes import skip
from tests.adversary.sim.draft import (
    absent,
    any_skips,
    corrupt,
    node,
    operator,
    some_lag,
    some_stake,
    spare,
)
from tests.adversary.sim.plan import NEVER, Noise, Plan, VerifierPlan


def liar_on_true(plan: Plan, random: Random) -> None:
    words = random.choice(("false", "unserved", "opposite", "drift"))
    corrupt(plan, random, words=words, about=random.choice(("", plan.nodes[0].name)))


def liar_on_false(plan: Plan, random: Random) -> None:
    node(plan, random, skips=any_skips(random))
    corrupt(plan, random, words=random.choice(("true", "opposite", "unserved", "silent")))


def two_words(plan: Plan, random: Random) -> None:
    corrupt(plan, random, words=random.choice(("two", "two", "waver")))
    if random.random() < 0.4:
        node(plan, random, skips=any_skips(random))


def silent_seat(plan: Plan, random: Random) -> None:
    blind = random.random() < 0.3
    corrupt(
        plan, random, words=random.choice(("silent", "late")), returns=not blind and random.random() < 0.5, blind=blind
    )
    if random.random() < 0.4:
        node(plan, random, skips="one")


def late_secret(plan: Plan, random: Random) -> None:
    secret = random.choice(("never", "second", "suits", "late"))
    corrupt(plan, random, secret=secret, returns=random.random() < 0.5)
    if random.random() < 0.5:
        node(plan, random, skips=any_skips(random))


def copier(plan: Plan, random: Random) -> None:
    corrupt(plan, random, words=random.choice(("copy", "last")), trace=random.choice(("honest", "wrong", "never")))


def bad_trace(plan: Plan, random: Random) -> None:
    corrupt(plan, random, trace=random.choice(("wrong", "never", "early", "other", "unsealed")))


def bad_merge(plan: Plan, random: Random) -> None:
    corrupt(plan, random, merge=random.choice(("wrong", "never")))


def late_seen(plan: Plan, random: Random) -> None:
    seen = random.choice(("late", "never", "other"))
    corrupt(plan, random, seen=seen)
    if random.random() < (0.7 if seen == "other" else 0.3):
        operator(plan, blocks=random.choice(("late", "rare", "rare")))
    if random.random() < 0.5:
        absent(plan, random)


def early_lapses(plan: Plan, random: Random) -> None:
    about = random.choice(("", plan.nodes[0].name))
    corrupt(plan, random, lapses="all", about=about)
    if random.random() < 0.5:
        operator(plan, delay=2)


def silent_verifier(plan: Plan, random: Random) -> None:
    corrupt(plan, random, words="silent", secret="never", has="never", seen="never", merge="never", lapses="never")


def away(plan: Plan, random: Random) -> None:
    absent(plan, random, random.choice(("away", "away", "cut")), last=random.random() < 0.3)


def vanishes(plan: Plan, random: Random) -> None:
    """Somebody honest draws and goes away before it reads."""
    steady = [place for place, verifier in enumerate(plan.verifiers) if verifier.steady]
    if spare(plan) > 0:
        place = random.choice(steady)
        plan.verifiers[place] = replace(plan.verifiers[place], vanishes=random.randint(1, min(2, plan.rounds)))
    if random.random() < 0.6:
        node(plan, random, skips="one")


def laggards(plan: Plan, random: Random) -> None:
    for place, verifier in enumerate(plan.verifiers):
        if not verifier.corrupt:
            lag, chain_lag = random.choice((0, 1, 1)), random.choice((0, 1, 2))
            plan.verifiers[place] = replace(verifier, lag=lag, chain_lag=chain_lag)
    if spare(plan) > 0:
        place = random.randrange(len(plan.verifiers))
        plan.verifiers[place] = replace(plan.verifiers[place], lag=2)


def new_anchors(plan: Plan, random: Random) -> None:
    plan.rounds = random.choice((3, 4))
    place = random.randrange(len(plan.verifiers))
    plan.verifiers[place] = replace(plan.verifiers[place], anchors=random.randint(1, 2))


def verifier_leaves(plan: Plan, random: Random) -> None:
    """One more than needed at the start; one is taken off the list later."""
    plan.k, plan.rounds = 2, random.choice((1, 2, 3))
    plan.verifiers = [
        VerifierPlan(as_address(f"v{place}"), lag=some_lag(random), stake=some_stake(random)) for place in range(4)
    ]
    gone = random.sample(plan.verifiers, random.choice((1, 1, 1, 2)))
    plan.exits += [(random.randint(4, 50), verifier.name) for verifier in gone]


def grinder(plan: Plan, random: Random) -> None:
    """Shows another secret than its own, which draws what was done."""
    bad = node(plan, random, skips=any_skips(random))
    corrupt(plan, random, words="true", about=bad.name, secret="ground")


def unasked(plan: Plan, random: Random) -> None:
    """Shows its secret where it has no seat."""
    plan.panel = plan.k
    corrupt(plan, random, secret="unasked")
    plan.noise += [Noise(random.randint(8, 40), "others_words") for _ in range(6)]


def few_pairs(plan: Plan, random: Random) -> None:
    """In a run with limits some verifiers have no calibrated pair; where too many have none, nobody takes part."""
    plan.exact, plan.pairs, plan.k = False, True, 2
    plan.verifiers = [
        VerifierPlan(as_address(f"v{place}"), lag=some_lag(random)) for place in range(random.choice((4, 4, 5)))
    ]
    for place in random.sample(range(len(plan.verifiers)), random.choice((1, 1, 2))):
        plan.verifiers[place] = replace(plan.verifiers[place], profile="other")
    if random.random() < 0.5:
        node(plan, random, skips="one")


def too_many(plan: Plan, random: Random) -> None:
    """k verifiers are corrupt: nothing is promised, and nothing may crash."""
    lapses = random.choice(("all", "honest"))
    for place in range(plan.k):
        words, secret = random.choice(("false", "true", "silent", "two", "drift")), random.choice(("honest", "never"))
        plan.verifiers[place] = replace(
            plan.verifiers[place], corrupt=True, lag=0, words=words, secret=secret, lapses=lapses
        )
    skip(plan, random)
    if random.random() < 0.5:
        plan.foreign.append(1)


def too_few(plan: Plan, random: Random) -> None:
    """More are away than the rules can bear: it waits."""
    for place in range(len(plan.verifiers) - plan.k + 1):
        plan.verifiers[place] = replace(plan.verifiers[place], away=((random.randint(2, 20), NEVER),))
