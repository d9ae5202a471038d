"""A plan: every choice of a history, so that a history can be told, repeated and made smaller.

Whatever is not written here is rolled from the seed and the names of the things it is about, so that taking one
behaviour away changes no other roll.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any
from zlib import crc32

from contracts.ids import NO_ADDRESS, Address

NEVER = 1_000_000
"""A tick that no history reaches."""


def mix(text: str) -> int:
    """A number of 32 bits that follows from the text alone."""
    value = crc32(text.encode())
    value = ((value ^ (value >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    value = ((value ^ (value >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return value ^ (value >> 16)


@dataclass(frozen=True)
class NodePlan:
    """What a node does. The first value of each field is the honest one."""

    name: Address
    skips: str = "nothing"
    """Which segments it does not compute: nothing, one, first, last, half, most or all."""
    fake: str = "none"
    """What its pledge names: none, skipped (a segment that it did not compute) or done (one that it did)."""
    in_rounds: str = "all"
    """When it is dishonest: all, first, later (than the first), last (after the eighth)."""
    twice: bool = False
    """Whether it commits twice to a round, to half of the verifiers each."""
    commit: str = "now"
    """now, slow, late, never, server (to nobody else), mirrors (not to the server), corrupt (gradient), broken, unbound
    (to another start, seed, configuration or number of tokens than the round's), after (the round has closed)."""
    opens: str = "all"
    """all, nothing, true (segments that are done), second (after a first lapse), partly, edge (at a period's end)."""
    gives: str = "all"
    """Bytes: all, nobody, corrupt (verifiers), true (segments), late, half (of the verifiers), edge, cut (only to
    verifiers that reach no mirror)."""
    pledge: str = "open"
    """open, never, second (after a first lapse), wrong (another than was sealed), early (before the words, too)."""
    drifts: str = "none"
    """In bounded runs, the verifiers beyond whose limit some of its segments are: none, all, some."""
    heavy: str = "none"
    """Segments that take honest verifiers periods to replay (numbers near zero): none, one, some, all."""
    leaves: int = 0
    """The round in which it says that it leaves; 0: it stays."""
    rejoins: bool = False
    """Whether it enrols again some periods after it left."""
    joins: int = 1
    stake: int = 1_000


@dataclass(frozen=True)
class VerifierPlan:
    """What a verifier does; `lag` and `chain_lag` are looks that its copy and its chain stand behind."""

    name: Address
    corrupt: bool = False
    lag: int = 0
    chain_lag: int = 0
    away: tuple[tuple[int, int], ...] = ()
    """Ticks (from, to) in which it is not there at all."""
    cut: tuple[tuple[int, int], ...] = ()
    """Ticks in which it reaches the log but no mirror."""
    vanishes: int = 0
    """The round in which it goes away for some periods, right after it showed its secret."""
    has: str = "honest"
    """honest, never, lying (for what it does not hold)."""
    seen: str = "honest"
    """honest, never, late (after the beacon), other (of another root)."""
    secret: str = "honest"
    """honest, never, second (after a lapse), suits (only where its draw helps), late, ground (another that draws what
    was done, before its own), unasked (without a seat)."""
    words: str = "honest"
    """honest, silent, true, false, unserved, drift, opposite, two, waver (unserved, then the opposite), copy, late,
    last, told (true, but what an open pledge names)."""
    about: str = ""
    """The node that its words, secrets and lapses are bent for; empty: all."""
    trace: str = "honest"
    """honest, wrong, never, early (before the proof's end), other (another than was sealed), unsealed."""
    merge: str = "honest"
    """honest, wrong, never."""
    lapses: str = "honest"
    """honest, all (whatever is awaited, at once), never, or the name of the one verifier whose words may lapse."""
    anchors: int = 0
    """The round at whose opening it anchors new secrets; 0: never."""
    returns: bool = True
    blind: bool = False
    """Whether it signs its return over a head that does not hold its lapse."""
    serves: bool = True
    profile: str = "exact"
    """Another one than "exact" has no calibrated pair, in bounded runs with limits."""
    stake: int = 200

    @property
    def steady(self) -> bool:
        """Honest, always there, and a look behind at most, its chain's node another one; or two where its copy is not.

        One that is three behind hands its secret to a mirror when the shortest period, of four looks, is over.
        """
        late = self.lag > 1 or self.lag + self.chain_lag > 2
        return not (self.corrupt or self.away or self.cut or self.vanishes or late)


@dataclass(frozen=True)
class Drop:
    """Messages that the operator does not take: of whom (empty: everybody), which kind (empty: all).

    `hard`: not even from a mirror.
    """

    party: str = ""
    kind: str = ""
    hard: bool = False


@dataclass(frozen=True)
class Change:
    """A derived entry that the operator omits, repeats, swaps or changes: the `nth` of its kind."""

    how: str
    entry: str
    nth: int = 1


@dataclass(frozen=True)
class OperatorPlan:
    """What the operator does."""

    drops: tuple[Drop, ...] = ()
    hold: int = 0
    """Ticks for which it keeps back what a mirror hands on."""
    scatters: bool = False
    """Whether it keeps each message back for another time, up to `hold`: so order is its own."""
    delay: int = 0
    """Ticks by which it delays messages, at most."""
    shuffles: bool = False
    repeats: bool = False
    blocks: str = "fresh"
    """fresh, late (hidden for some ticks), rare (only where one must be entered), false, past (beyond the beacon, if
    it can), again (older ones, if it can)."""
    stops: tuple[tuple[int, int, bool], ...] = ()
    """Ticks (from, to) in which it enters nothing; True: it does not answer, either."""
    fork: int = 0
    """The tick from which it shows two logs."""
    change: Change | None = None
    helps: str = ""
    """A node whose wishes it knows."""


@dataclass(frozen=True)
class RenterPlan:
    """Who rents a node's machine, and what it bills for the hours of each round that an epoch paid."""

    name: Address
    node: Address
    does: str = "honest"
    """honest, twice (an hour again, and a machine's hour for another's key), foreign (others' keys and accounts, or
    without somebody's signature), early (before the hour is over, or its epoch closed), late (two at once)."""
    amounts: tuple[int, ...] = (300,)
    """Micro-USD of its bills, one after the other, from the first again."""
    payback: bool = False
    friend: Address = NO_ADDRESS
    """Another node, whose hours it would bill."""


@dataclass(frozen=True)
class Noise:
    """Something that a stranger, or somebody out of turn, sends."""

    tick: int
    kind: str


@dataclass
class Plan:
    """All choices of one history."""

    seed: int
    strategy: str
    k: int = 2
    verifiers: list[VerifierPlan] = field(default_factory=list)
    nodes: list[NodePlan] = field(default_factory=list)
    operator: OperatorPlan = OperatorPlan()
    noise: list[Noise] = field(default_factory=list)
    decisions: list[tuple[int, str, str]] = field(default_factory=list)
    limits: list[tuple[int, int]] = field(default_factory=list)
    strikes: list[int] = field(default_factory=list)
    """Epochs of which holders strike a root down: the first whose dispute does not lapse."""
    lapses: list[tuple[int, int]] = field(default_factory=list)
    """Roots (epoch, attempt) that fall with a dispute that nobody decides."""
    foreign: list[int] = field(default_factory=list)
    """Epochs of which the chain makes another root final: k verifiers are corrupt."""
    renters: list[RenterPlan] = field(default_factory=list)
    capital: tuple[int, int, int] | None = None
    """Weight of capital, cap and budget of paybacks, in micro-USD; a unit is worth one. None: no invoice is taken."""
    exits: list[tuple[int, str]] = field(default_factory=list)
    """Ticks at which a verifier is no longer admitted."""
    stalls: list[tuple[int, int]] = field(default_factory=list)
    """Ticks (from, to) in which the chain makes nothing final."""
    places: int = 0
    """How many nodes take part at most; 0: all."""
    runs: int = 1
    rounds: int = 1
    rounds_per_epoch: int = 1
    segments: int = 4
    samples: int = 1
    panel: int = 0
    floor: int = 1_000_000
    node_stake: int = 1_000
    exact: bool = True
    pairs: bool = False
    """Whether only calibrated pairs may judge."""
    seconds: int = 12
    """Of one tick."""
    period: int = 5
    finality: int = 1
    root_periods: int = 12
    """Periods in which a root can be proposed."""
    window: int = 6
    """Ticks from k signatures under an epoch to its end."""

    def roll(self, most: int, *about: object) -> int:
        """A number below `most` that follows from the seed and from what it is about."""
        return mix(f"{self.seed}|{about}") % most


def told(thing: Any) -> str:
    """What a part of a plan says beyond the honest default, in one line."""
    default = type(thing)(thing.name) if hasattr(thing, "name") else type(thing)()
    told_fields = [f.name for f in fields(thing) if getattr(thing, f.name) != getattr(default, f.name)]
    return ", ".join(f"{name} {getattr(thing, name)!r}" for name in told_fields)
