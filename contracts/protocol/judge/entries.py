"""Derived entries: all else that the log holds. Each is a pure function of the entries before it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.ids import Address, ProofId, RunId
from contracts.protocol.judge.facts import Awaited, Reason


class Fault(StrEnum):
    """Faults that cost a verifier stake."""

    FALSE_WORD = "false-word"
    PASSED_A_FAKE = "passed-a-fake"
    TWO_WORDS = "two-words"
    WRONG_TRACE = "wrong-trace"
    TRACE_WITHHELD = "trace-withheld"
    FELL_SILENT = "fell-silent"


class Derived:
    """Base of all derived entries."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A node of a round: where it is paid, the optimizer state that it starts from, its audit rate (ppm), whether
    it is awaited and whether stake is reserved for its proof."""

    node: Address
    payout: Address
    inner: str
    profile: str
    rate: int
    awaited: bool
    staked: bool


@dataclass(frozen=True, slots=True)
class RoundOpened(Derived):
    """A round begins from these weights under this configuration; `verifiers` speak in it, and `k` decide."""

    run: RunId
    round: int
    theta: str
    momentum: str
    config: str
    data_seed: str
    block: int
    k: int
    verifiers: tuple[Address, ...]
    nodes: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Lapsed(Derived):
    """k verifiers said that a thing did not come. `period` 1 or 2."""

    awaited: Awaited
    since: int
    period: int


@dataclass(frozen=True, slots=True)
class RoundClosed(Derived):
    """The proofs that k verifiers hold, in order of node; the beacon is the first block at or after `beacon_time`."""

    run: RunId
    round: int
    proofs: tuple[ProofId, ...]
    beacon_time: int


@dataclass(frozen=True, slots=True)
class BeaconFixed(Derived):
    """The first block at or after the beacon's time; it draws once k verifiers said `Seen` before they knew it."""

    run: RunId
    round: int
    block: int
    hash: str


@dataclass(frozen=True, slots=True)
class BeaconMissed(Derived):
    """Fewer than k said `Seen` within a period: a later block draws, once k saw this entry, and all proofs are read."""

    run: RunId
    round: int
    block: int
    beacon_time: int


@dataclass(frozen=True, slots=True)
class PanelDrawn(Derived):
    """The order that the beacon drew and the first seats of it; both empty where the coin spared the proof."""

    proof: ProofId
    beacon: str
    audited: bool
    order: tuple[Address, ...]
    seats: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class SeatsFilled(Derived):
    """The next of the order sit down."""

    proof: ProofId
    verifiers: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Drawn(Derived):
    """A seat's draw, from beacon and secret."""

    proof: ProofId
    verifier: Address
    segments: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OpeningsClosed(Derived):
    """All that a draw asks for is open: the verifier's period to read begins."""

    proof: ProofId
    verifier: Address


@dataclass(frozen=True, slots=True)
class BenchCalled(Derived):
    """A questioned segment goes to the full bench: these read it whole."""

    proof: ProofId
    segment: int
    members: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class SecondLook(Derived):
    """`false` and `unserved` make k together: one more period in which `unserved` may be replaced."""

    proof: ProofId
    segment: int


@dataclass(frozen=True, slots=True)
class SegmentDecided(Derived):
    """k equal words (or false and unserved together, after a second look) decide a questioned segment."""

    proof: ProofId
    segment: int
    true: bool
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class PanelSpoken(Derived):
    """Nothing stands against the proof any more: its pledge is awaited."""

    proof: ProofId


@dataclass(frozen=True, slots=True)
class Voided(Derived):
    """The proof is not paid. Whether its node is at fault is derived once its pledge is open or twice lapsed."""

    proof: ProofId
    reason: Reason
    segment: int | None


@dataclass(frozen=True, slots=True)
class FaultDerived(Derived):
    """The end of a void: whether the node is at fault, and the reason that counts."""

    proof: ProofId
    node: Address
    at_fault: bool
    reason: Reason
    costs_stake: bool


@dataclass(frozen=True, slots=True)
class Posted(Derived):
    """The proof is paid in the next epoch that closes."""

    proof: ProofId
    account: Address
    tokens: int


@dataclass(frozen=True, slots=True)
class Undecided(Derived):
    """k equal words cannot come, and the proof's epoch closes: no pay, no stake."""

    proof: ProofId


@dataclass(frozen=True, slots=True)
class VerifierFault(Derived):
    """A verifier's fault about a proof (round and run beside it)."""

    run: RunId
    round: int
    proof: ProofId
    verifier: Address
    fault: Fault


@dataclass(frozen=True, slots=True)
class Overruled(Derived):
    """The full bench decided against a verifier's word: it sits behind the others up to and including `until`."""

    run: RunId
    proof: ProofId
    verifier: Address
    until: int


@dataclass(frozen=True, slots=True)
class MergeSet(Derived):
    """The merge set: posted proofs and their gradients' digests in order of node."""

    run: RunId
    round: int
    proofs: tuple[ProofId, ...]
    gradients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoundMerged(Derived):
    """The outer state that k verifiers signed, or the old one where nothing was merged."""

    run: RunId
    round: int
    theta: str
    momentum: str


@dataclass(frozen=True, slots=True)
class DecisionTaken(Derived):
    """The end of a decision in a run: applied, or refused with its reason."""

    run: RunId
    sequence: int
    applied: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Line:
    """One payout of an epoch, in token units."""

    account: Address
    kind: int
    amount: int


@dataclass(frozen=True, slots=True)
class Assessed:
    """The worth of one invoice, entered at `entry`, in micro-USD: `credited` is at most the smaller of its amount and
    its `tokens` at the median price (`median_amount` for `median_tokens`), less `earned`, the value of the tokens that
    the same work was paid as compute, and less what the machine's other hours were paid beyond that. With `payback` it
    is what the holders may pay back. Both of the median are 0 where others never had enough work of their own to give
    one."""

    key: str
    entry: int
    account: Address
    payback: bool
    amount: int
    tokens: int
    median_amount: int
    median_tokens: int
    earned: int
    credited: int


@dataclass(frozen=True, slots=True)
class InvoicesAssessed(Derived):
    """Invoices, each once, in the order of the log. With them the run has credited `capital` in all, and `payable` in
    all may be paid back (micro-USD)."""

    run: RunId
    lines: tuple[Assessed, ...]
    capital: int
    payable: int


@dataclass(frozen=True, slots=True)
class EpochClosed(Derived):
    """An epoch's pay: `due` is emission and debts of earlier epochs, `total` the part that the limit lets through.

    `attempt` counts the roots of the epoch that fell on the chain, as the contract does: the first is 0.
    `deadline` (Unix seconds, chain time) is until when this root can be proposed. Every round of every run that opened
    before `settled_at` had been settled when the epoch closed first: no stake that was asked for later may go (J14).
    """

    epoch: int
    attempt: int
    run: RunId
    first_round: int
    last_round: int
    due: int
    total: int
    lines: tuple[Line, ...]
    root: str
    deadline: int
    settled_at: int


@dataclass(frozen=True, slots=True)
class EpochEnded(Derived):
    """The chain made an epoch final with this root: `ours` says whether it follows from the log, `carried` the
    sum that stays owed to the accounts that earned it."""

    epoch: int
    attempt: int
    root: str
    ours: bool
    carried: int


@dataclass(frozen=True, slots=True)
class RunOver(Derived):
    """Nothing of the run can be decided any more, and all that it owed is paid: it credits nothing from here on."""

    run: RunId
