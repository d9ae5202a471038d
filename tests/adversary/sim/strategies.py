"""Strategies: who is bad, and how; and how a seed makes a plan of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.adversary.sim.noise import NOISE
from tests.adversary.sim.plan import NEVER, Change, Drop, NodePlan, Noise, Plan, VerifierPlan

Strategy = Callable[[Plan, Random], None]

_SIZES = ((3, 2),) * 20 + ((4, 2), (4, 2), (5, 3), (5, 3), (5, 2), (7, 4))
_ALTERED = (
    "RoundOpened",
    "Lapsed",
    "RoundClosed",
    "PanelDrawn",
    "Drawn",
    "OpeningsClosed",
    "BenchCalled",
    "SegmentDecided",
    "PanelSpoken",
    "Voided",
    "FaultDerived",
    "Posted",
    "MergeSet",
    "RoundMerged",
    "EpochClosed",
    "VerifierFault",
)


def make(seed: int, strategy: str | None = None) -> Plan:
    """The plan of a seed: one strategy, or where none is named one or two of the seed's choice."""
    random = Random(seed)
    plan = base(seed, random)
    names = [strategy] if strategy is not None else _choice(random)
    for name in names:
        STRATEGIES[name](plan, random)
    plan.strategy = "+".join(names)
    return plan


def _choice(random: Random) -> list[str]:
    usual = [name for name in STRATEGIES if name not in RARE]
    first = random.choice(usual) if random.random() > 0.01 else random.choice(sorted(RARE))
    return [first, random.choice(usual)] if random.random() < 0.35 else [first]


def base(seed: int, random: Random) -> Plan:
    """An honest deployment of some size."""
    n, k = random.choice(_SIZES)
    plan = Plan(seed, "honest", k)
    plan.verifiers = [VerifierPlan(f"v{place}", lag=_lag(random), stake=_stake(random)) for place in range(n)]
    plan.nodes = [NodePlan(f"n{place}") for place in range(random.choice((1, 1, 1, 1, 2, 2, 2, 2, 3, 4)))]
    plan.rounds = random.choice((1,) * 8 + (2, 2, 2, 3, 4))
    plan.rounds_per_epoch = random.choice((1, 1, 2))
    plan.runs = 2 if random.random() < 0.05 else 1
    plan.segments, plan.samples = random.choice((3, 4, 4, 5, 6, 8)), random.choice((1, 2, 2, 3))
    plan.panel = random.choice((0, k, k, random.randint(k, n)))
    plan.floor = random.choice((1_000_000, 200_000))
    plan.node_stake = random.choice((1_000, 1_000, 1_000, 0))
    plan.exact = random.random() < 0.85
    plan.period, plan.finality = random.choice((4, 5, 5, 6)), random.choice((1, 1, 2))
    plan.window = random.choice((3, 2 * plan.period + 6))
    return plan


def _lag(random: Random) -> int:
    return random.choice((0,) * 7 + (1, 1, 1))


def _stake(random: Random) -> int:
    return random.choice((100, 200, 300))


def node(plan: Plan, random: Random, **how: object) -> NodePlan:
    """One node more departs."""
    place = random.randrange(len(plan.nodes))
    how.setdefault("in_rounds", random.choice(("all", "all", "all", "first", "later")))
    plan.nodes[place] = replace(plan.nodes[place], **how)  # type: ignore[arg-type]
    return plan.nodes[place]


def corrupt(plan: Plan, random: Random, **how: object) -> list[str]:
    """Up to k - 1 verifiers in all are corrupt, and do this together."""
    known = [place for place, verifier in enumerate(plan.verifiers) if verifier.corrupt]
    free = [place for place, v in enumerate(plan.verifiers) if not v.corrupt and not v.away and not v.cut]
    room = _spare(plan)
    if not known and room > 0:
        known = random.sample(free, random.randint(1, min(room, plan.k - 1)))
    for place in known:
        plan.verifiers[place] = replace(plan.verifiers[place], corrupt=True, lag=0, **how)  # type: ignore[arg-type]
    return [plan.verifiers[place].name for place in known]


def _spare(plan: Plan) -> int:
    """How many more may be corrupt or away before the premise ends."""
    n, k = len(plan.verifiers), plan.k
    needed = k if n <= 2 * k - 1 else n - k + 1
    return sum(verifier.steady for verifier in plan.verifiers) - needed


def absent(plan: Plan, random: Random, field: str = "away", last: bool = False) -> None:
    """Somebody honest is away, or cut off, for some time or for good."""
    steady = [place for place, verifier in enumerate(plan.verifiers) if verifier.steady]
    if _spare(plan) < 1:
        return
    place, start = random.choice(steady), random.randint(2, 25)
    end = NEVER if last or random.random() < 0.3 else start + random.randint(2, 5 * plan.period)
    plan.verifiers[place] = replace(plan.verifiers[place], **{field: ((start, end),)})


def operator(plan: Plan, **how: object) -> None:
    """The operator departs."""
    plan.operator = replace(plan.operator, **how)  # type: ignore[arg-type]


def _somebody(plan: Plan, random: Random, kind: str) -> str:
    among = plan.nodes if kind == "node" else [v for v in plan.verifiers if not v.corrupt]
    return random.choice(among).name  # type: ignore[attr-defined]


def _any_skips(random: Random) -> str:
    return random.choice(("one", "one", "first", "last", "half", "most", "all"))


def honest(plan: Plan, random: Random) -> None:
    """Nobody departs."""


def skip(plan: Plan, random: Random) -> None:
    node(plan, random, skips=_any_skips(random))


def skip_and_withhold(plan: Plan, random: Random) -> None:
    opens = random.choice(("nothing", "true", "second", "partly", "edge"))
    node(plan, random, skips=_any_skips(random), opens=opens, pledge=random.choice(("open", "never", "second")))


def skip_and_starve(plan: Plan, random: Random) -> None:
    gives = random.choice(("nobody", "corrupt", "true", "late", "half", "edge"))
    node(plan, random, skips=_any_skips(random), gives=gives)
    corrupt(plan, random, words="true", serves=False)


def slow_bytes(plan: Plan, random: Random) -> None:
    node(plan, random, gives=random.choice(("late", "edge", "half")))


def helped_cheat(plan: Plan, random: Random) -> None:
    bad = node(plan, random, skips=_any_skips(random))
    corrupt(plan, random, words="true", about=bad.name, secret=random.choice(("honest", "suits")), serves=False)


def late_openings(plan: Plan, random: Random) -> None:
    node(plan, random, opens=random.choice(("second", "edge", "nothing", "partly")))


def double_proof(plan: Plan, random: Random) -> None:
    node(plan, random, twice=True, skips=random.choice(("nothing", "one", "all")))
    if random.random() < 0.5:
        corrupt(plan, random, has="lying", words="true", serves=False)


def canary(plan: Plan, random: Random) -> None:
    node(plan, random, skips=random.choice(("one", "one", "half")), fake="skipped")


def canary_flood(plan: Plan, random: Random) -> None:
    plan.rounds = random.choice((3, 4))
    node(plan, random, skips="one", fake="skipped", in_rounds="all")


def false_pledge(plan: Plan, random: Random) -> None:
    node(plan, random, fake="done", skips=random.choice(("nothing", "one", "half")))


def withheld_pledge(plan: Plan, random: Random) -> None:
    pledge = random.choice(("never", "second", "wrong"))
    node(plan, random, pledge=pledge, skips=random.choice(("nothing", "one")), fake=random.choice(("none", "skipped")))


def late_commitment(plan: Plan, random: Random) -> None:
    node(plan, random, commit=random.choice(("late", "slow", "never")))


def half_commitment(plan: Plan, random: Random) -> None:
    node(plan, random, commit=random.choice(("server", "mirrors", "corrupt", "broken")))
    if random.random() < 0.5:
        corrupt(plan, random, has=random.choice(("lying", "never")))


def comings_and_goings(plan: Plan, random: Random) -> None:
    plan.rounds = random.choice((2, 3, 4))
    node(plan, random, leaves=random.randint(1, 2))
    if len(plan.nodes) < 4:
        plan.nodes.append(NodePlan(f"n{len(plan.nodes)}", joins=2))


def liar_on_true(plan: Plan, random: Random) -> None:
    words = random.choice(("false", "unserved", "opposite", "drift"))
    corrupt(plan, random, words=words, about=random.choice(("", plan.nodes[0].name)))


def liar_on_false(plan: Plan, random: Random) -> None:
    node(plan, random, skips=_any_skips(random))
    corrupt(plan, random, words=random.choice(("true", "opposite", "unserved", "silent")))


def two_words(plan: Plan, random: Random) -> None:
    corrupt(plan, random, words="two")
    if random.random() < 0.4:
        node(plan, random, skips=_any_skips(random))


def silent_seat(plan: Plan, random: Random) -> None:
    corrupt(plan, random, words=random.choice(("silent", "late")), returns=random.random() < 0.5)
    if random.random() < 0.4:
        node(plan, random, skips="one")


def late_secret(plan: Plan, random: Random) -> None:
    secret = random.choice(("never", "second", "suits", "late"))
    corrupt(plan, random, secret=secret, returns=random.random() < 0.5)
    if random.random() < 0.5:
        node(plan, random, skips=_any_skips(random))


def copier(plan: Plan, random: Random) -> None:
    corrupt(plan, random, words=random.choice(("copy", "last")), trace=random.choice(("honest", "wrong", "never")))


def bad_trace(plan: Plan, random: Random) -> None:
    corrupt(plan, random, trace=random.choice(("wrong", "never")))


def bad_merge(plan: Plan, random: Random) -> None:
    corrupt(plan, random, merge=random.choice(("wrong", "never")))


def late_seen(plan: Plan, random: Random) -> None:
    corrupt(plan, random, seen=random.choice(("late", "never")))
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


def laggards(plan: Plan, random: Random) -> None:
    for place, verifier in enumerate(plan.verifiers):
        if not verifier.corrupt:
            lag, chain_lag = random.choice((0, 1, 1)), random.choice((0, 1, 2))
            plan.verifiers[place] = replace(verifier, lag=lag, chain_lag=chain_lag)
    if _spare(plan) > 0:
        place = random.randrange(len(plan.verifiers))
        plan.verifiers[place] = replace(plan.verifiers[place], lag=2)


def operator_drops_node(plan: Plan, random: Random) -> None:
    drop = Drop(_somebody(plan, random, "node"), random.choice(("", "", "Committed", "Opened", "PledgeOpened")))
    operator(plan, drops=(drop,), hold=random.choice((0, 0, 1, plan.period, 2 * plan.period)))


def operator_drops_verifier(plan: Plan, random: Random) -> None:
    drop = Drop(_somebody(plan, random, "verifier"), random.choice(("", "Words", "Secret", "TraceShown", "Lapse")))
    operator(plan, drops=(drop,), hold=random.choice((0, 0, 1, plan.period, 2 * plan.period)))


def operator_never_enters(plan: Plan, random: Random) -> None:
    party = _somebody(plan, random, random.choice(("node", "verifier")))
    operator(plan, drops=(Drop(party, "", hard=True),))
    if random.random() < 0.5:
        node(plan, random, skips="one")


def operator_delays(plan: Plan, random: Random) -> None:
    operator(plan, delay=random.choice((1, 2)), shuffles=random.random() < 0.5, repeats=random.random() < 0.3)


def operator_repeats(plan: Plan, random: Random) -> None:
    operator(plan, repeats=True, shuffles=True)


def operator_hides_blocks(plan: Plan, random: Random) -> None:
    operator(plan, blocks=random.choice(("late", "rare")))


def operator_false_block(plan: Plan, random: Random) -> None:
    operator(plan, blocks="false")


def operator_helps_cheat(plan: Plan, random: Random) -> None:
    """Whoever drew a false segment is not heard, and the node says nothing either."""
    bad = node(plan, random, skips=_any_skips(random), opens=random.choice(("all", "true")))
    kind = random.choice(("Secret", "Words", "Lapse"))
    operator(plan, drops=(Drop("", kind),), hold=random.choice((0, plan.period)), helps=bad.name)
    corrupt(plan, random, words="true", secret="suits", about=bad.name)


def _changes(how: str) -> Strategy:
    def change(plan: Plan, random: Random) -> None:
        entry = random.choice(_ALTERED)
        operator(plan, change=Change(how, entry, random.randint(1, 2)))
        if entry in ("BenchCalled", "SegmentDecided", "Voided", "FaultDerived", "Lapsed", "VerifierFault"):
            skip(plan, random)

    return change


def fork(plan: Plan, random: Random) -> None:
    operator(plan, fork=random.randint(4, 30))


def restart(plan: Plan, random: Random) -> None:
    start = random.randint(3, 30)
    operator(plan, stops=((start, start + random.randint(2, 4 * plan.period), random.random() < 0.5),))


def chain_stands(plan: Plan, random: Random) -> None:
    """Nothing becomes final for a while."""
    start = random.randint(3, 30)
    plan.stalls.append((start, start + random.randint(2, 4 * plan.period)))


def strangers(plan: Plan, random: Random) -> None:
    plan.noise += [Noise(random.randint(3, 40), random.choice(sorted(NOISE))) for _ in range(random.randint(4, 12))]


def holders(plan: Plan, random: Random) -> None:
    keys = ("rounds", "tokens", "weight", "nonsense", "")
    values = ("1", "2", "3", "9" * 5_000, "-1", "1e9", "", "0e-999999999999999999")
    for _ in range(random.randint(1, 4)):
        plan.decisions.append((random.randint(2, 40), random.choice(keys), random.choice(values)))
    plan.decisions.sort(key=lambda decision: decision[0])


def struck_epoch(plan: Plan, random: Random) -> None:
    plan.strikes.append(random.randint(1, 2))
    plan.rounds, plan.rounds_per_epoch = random.choice((1, 2, 3)), 1


def falling_limit(plan: Plan, random: Random) -> None:
    plan.rounds, plan.rounds_per_epoch = random.choice((1, 2, 3)), 1
    plan.limits.append((random.randint(3, 10), random.choice((700, 1_500))))
    if random.random() < 0.7:
        plan.limits.append((random.randint(12, 60), random.choice((300, 100, 900))))


def too_many(plan: Plan, random: Random) -> None:
    """k verifiers are corrupt: nothing is promised, and nothing may crash."""
    for place in range(plan.k):
        words = random.choice(("false", "true", "silent", "two"))
        plan.verifiers[place] = replace(plan.verifiers[place], corrupt=True, lag=0, words=words, lapses="all")
    skip(plan, random)


def too_few(plan: Plan, random: Random) -> None:
    """More are away than the rules can bear: it waits."""
    for place in range(len(plan.verifiers) - plan.k + 1):
        plan.verifiers[place] = replace(plan.verifiers[place], away=((random.randint(2, 20), NEVER),))


def sleeper(plan: Plan, random: Random) -> None:
    """Long honest work until the audit rate falls, and then a cheat that may be spared."""
    plan.nodes, plan.rounds, plan.rounds_per_epoch, plan.runs = [NodePlan("n0")], 12, 4, 1
    plan.floor, plan.segments, plan.samples = 200_000, 3, 1
    plan.nodes[0] = replace(plan.nodes[0], skips=_any_skips(random), in_rounds="last")


STRATEGIES: dict[str, Strategy] = {
    "honest": honest,
    "skip": skip,
    "skip-and-withhold": skip_and_withhold,
    "skip-and-starve": skip_and_starve,
    "slow-bytes": slow_bytes,
    "helped-cheat": helped_cheat,
    "late-openings": late_openings,
    "double-proof": double_proof,
    "canary": canary,
    "canary-flood": canary_flood,
    "false-pledge": false_pledge,
    "withheld-pledge": withheld_pledge,
    "late-commitment": late_commitment,
    "half-commitment": half_commitment,
    "comings-and-goings": comings_and_goings,
    "liar-on-true": liar_on_true,
    "liar-on-false": liar_on_false,
    "two-words": two_words,
    "silent-seat": silent_seat,
    "late-secret": late_secret,
    "copier": copier,
    "bad-trace": bad_trace,
    "bad-merge": bad_merge,
    "late-seen": late_seen,
    "early-lapses": early_lapses,
    "silent-verifier": silent_verifier,
    "away": away,
    "laggards": laggards,
    "operator-drops-node": operator_drops_node,
    "operator-drops-verifier": operator_drops_verifier,
    "operator-never-enters": operator_never_enters,
    "operator-delays": operator_delays,
    "operator-repeats": operator_repeats,
    "operator-hides-blocks": operator_hides_blocks,
    "operator-false-block": operator_false_block,
    "operator-helps-cheat": operator_helps_cheat,
    "operator-omits-entry": _changes("omitted"),
    "operator-adds-entry": _changes("extra"),
    "operator-swaps-entries": _changes("swapped"),
    "operator-changes-entry": _changes("changed"),
    "fork": fork,
    "restart": restart,
    "chain-stands": chain_stands,
    "strangers": strangers,
    "holders": holders,
    "struck-epoch": struck_epoch,
    "falling-limit": falling_limit,
    "sleeper": sleeper,
    "too-many": too_many,
    "too-few": too_few,
}
RARE = frozenset({"sleeper", "too-many", "too-few"})
