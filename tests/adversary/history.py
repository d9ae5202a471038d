"""A history: the log that a seed made, beside what really happened. Invariants read it; they never ask the machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from contracts.ids import Address, ProofId, RunId
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.facts import Fact

Entry: TypeAlias = Fact | Derived


@dataclass
class Work:
    """The truth about one proof, known to nobody in the history."""

    proof: ProofId
    run: RunId
    round: int
    node: Address
    false: frozenset[int]
    """Segments whose replay does not give the committed end."""
    fake: int | None = None
    """What its pledge names."""
    drifts: frozenset[int] = frozenset()
    """Segments that are beyond some honest verifier's limit though nobody cheated; in bounded runs only."""
    heavy: frozenset[int] = frozenset()
    """Segments that take any honest verifier periods to replay, whoever computed them."""
    in_time: bool = False
    """Commitment and gradient reached k present honest mirrors within one period of the round's opening."""
    serves: bool = False
    """Its node answers every request in time: openings, bytes and pledge reach k present honest mirrors."""
    shown: set[int] = field(default_factory=set)
    """Segments whose bytes at least one honest verifier had in hand, hashed."""

    @property
    def honest(self) -> bool:
        """Work done within all limits, replayed in time, committed in time, opened and served as asked, no canary."""
        within = not self.drifts and not self.heavy
        return not self.false and self.fake is None and within and self.in_time and self.serves


@dataclass
class Deviation:
    """Something that the operator did to the log or to a message, and who noticed."""

    kind: str
    """omitted, extra, swapped, changed (derived entries); dropped (a message); forked (two logs)."""
    index: int
    detail: str = ""
    found: bool = False
    due: tuple[Derived, ...] = ()
    """What the rules give where the log departs: each honest replica has derived it, whatever is entered."""


@dataclass
class History:
    """What a seed made."""

    seed: int
    strategy: str
    k: int
    verifiers: tuple[Address, ...]
    honest: frozenset[Address]
    """Verifiers that keep to the protocol."""
    present: frozenset[Address]
    """Of these, the ones that were up and reached each other's mirrors all the time (a look behind at most)."""
    period: int
    """Ticks of one period."""
    segments: int
    entries: list[Entry] = field(default_factory=list)
    """The log as it was stored."""
    ticks: list[int] = field(default_factory=list)
    """When each entry was stored."""
    work: dict[ProofId, Work] = field(default_factory=dict)
    draws: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    """(proof, verifier) → what its anchored secret draws with the proof's beacon, whether it was shown or not; filled
    for each seat that the log names."""
    beacons: dict[int, str] = field(default_factory=dict)
    """Chain time → hash of the chain's first block at or after it; filled for each time that the log names."""
    tokens: dict[tuple[str, int], int] = field(default_factory=dict)
    """Round → the tokens that its configuration asks of a node."""
    sealed: dict[tuple[str, str], str] = field(default_factory=dict)
    """(proof, verifier) → the trace that it sealed."""
    maintainers: frozenset[str] = frozenset()
    """Whose word a contribution needs, if anybody's."""
    capital: tuple[int, int, int] | None = None
    """Weight of capital, cap and budget of paybacks (micro-USD, of which a unit is worth one); None: none is taken."""
    deviations: list[Deviation] = field(default_factory=list)
    messages: int = 0
    """Facts from nodes and verifiers that were entered."""
    stopped: int = 0
    """Ticks in which the operator entered nothing although something had reached it (time stands still then)."""
    complete: bool = True
    """Whether the history ran to its planned end: every run over, every epoch final."""
    refused: dict[str, int] = field(default_factory=dict)
    """Codes of refusals, counted."""
    chain_stood: int = 0
    """Ticks in which no final block came although one was due: nothing lapses then, since chain time stands still."""
    ended: int = 0
    """Tick at which the simulation ended, if later than the last entry."""
    deserted: bool = False
    """Whether a run that goes on had no node left to wait for."""

    @property
    def premise(self) -> bool:
        """Fewer than k corrupt, and enough honest ones present: k, or n - k + 1 where n > 2k - 1."""
        n, k = len(self.verifiers), self.k
        enough = k if n <= 2 * k - 1 else n - k + 1
        return n - len(self.honest) < k and len(self.present) >= enough
