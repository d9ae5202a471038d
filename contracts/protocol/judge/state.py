"""The machine's memory: small classes for the deployment, a verifier, a run, a node, a round and a proof.

A proof lives from its commitment until the epoch in which it ended is final; so the state stays flat in a long run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from contracts.ids import NO_RUN, Address, ProofId, RunId
from contracts.protocol.audit_rate import AuditRecord
from contracts.protocol.judge.entries import BeaconFixed, EpochClosed, Fault, Listed, MergeSet
from contracts.protocol.judge.facts import (
    Anchored,
    Awaited,
    Block,
    Committed,
    Enrolled,
    Invoiced,
    PledgeOpened,
    Reason,
    RunCreated,
    SegmentWord,
    Word,
)
from contracts.protocol.judge.functions import Functions


class Phase(StrEnum):
    """A round: open → closed → reading → merging → merged."""

    OPEN = "open"
    CLOSED = "closed"
    READING = "reading"
    MERGING = "merging"
    MERGED = "merged"


class Stage(StrEnum):
    """A proof: committed → reading → spoken → posted, or → void → ended; out and undecided end it, too."""

    COMMITTED = "committed"
    OUT = "out"
    READING = "reading"
    SPOKEN = "spoken"
    VOID = "void"
    POSTED = "posted"
    ENDED = "ended"
    UNDECIDED = "undecided"


FINISHED = frozenset({Stage.OUT, Stage.POSTED, Stage.ENDED, Stage.UNDECIDED})


@dataclass(slots=True)
class Await:
    """Something awaited since an entry, in its first or second period, and the verifiers that said that it is missing.

    `items` are the segments that words are awaited on: a word that is owed later has a period of its own.
    """

    since: int
    period: int = 1
    words: set[Address] = field(default_factory=set)
    items: frozenset[int] = frozenset()


@dataclass(slots=True)
class Scope:
    """Things that a round or a proof awaits, and things that it awaited."""

    awaits: dict[Awaited, Await] = field(default_factory=dict)
    past: dict[tuple[Awaited, int], set[Address]] = field(default_factory=dict)
    """Things that came or lapsed, and the verifiers that said afterwards that they did not come."""


@dataclass(slots=True)
class VerifierState:
    """A verifier on the chain. `slashed`: below the least stake through a fault."""

    admitted: bool = False
    stake: int = 0
    slashed: bool = False


@dataclass(slots=True)
class NodeState:
    """A node of a run. `inner` is where its optimizer state stands; `away` the entry by which it lapsed."""

    enrolled: Enrolled
    place: int
    inner: str
    sequence: int
    left: bool = False
    away: int | None = None
    delivered: bool = False
    changes: int = 0
    """Messages about its place since the last round opened."""
    record: AuditRecord = field(default_factory=AuditRecord)
    canaries: list[int] = field(default_factory=list)


@dataclass(slots=True)
class PostedWork:
    """Verified tokens of a node that no epoch has paid yet. `hour` (since 1970) is that in which the round opened,
    `price` (micro-USD) that of a whole token by its configuration, `counts` whether capital had a weight in it."""

    node: Address
    account: Address
    hour: int
    tokens: int
    price: int
    counts: bool


@dataclass(slots=True)
class PaidWork:
    """A node's verified tokens of one hour that closed epochs paid, and the value (micro-USD) of that pay; `priced`:
    whether its rounds opened with a price of tokens, without which the value says nothing."""

    hour: int
    account: Address
    tokens: int
    value: int
    counts: bool
    priced: bool


@dataclass(slots=True)
class InvoiceState:
    """An invoice that waits for its assessment: the entry and the hour of its entry, and the tokens and the value
    (micro-USD) of its machine's work."""

    fact: Invoiced
    entry: int
    hour: int
    tokens: int
    value: int


@dataclass(slots=True)
class Price:
    """What an invoice that was assessed, entered in an hour, says of the price of verified tokens. Its names
    are in lower case: whoever shares one of them is no other."""

    renter: str
    account: str
    machine: str
    nodes: tuple[str, ...]
    hour: int
    amount: int
    tokens: int


@dataclass(slots=True)
class RunState:
    """A run. `config` is what the next round opens with; `merged` the last merged round, `paid` the last in an epoch.
    `paying` is what the first round since then opened with, by which its epoch pays. `late` is what of `earned` was
    posted after its own epoch had closed: tokens by what its round opened with, and account.

    `away` has the entry by which a verifier lapsed, `behind` the last round in which one sits behind the others;
    `earned` what the next epoch pays for, by kind and account; `unsettled` whether anything ended since the last one.
    `owed` are token units that earlier epochs cut, by kind and account: the next one pays them first.
    """

    created: RunCreated
    config: str
    theta: str
    momentum: str
    anchors: dict[Address, list[Anchored]] = field(default_factory=dict)
    nodes: dict[Address, NodeState] = field(default_factory=dict)
    places: int = 0
    """Places that were given in the order of nodes; a node that fails goes to its end."""
    away: dict[Address, int] = field(default_factory=dict)
    behind: dict[Address, int] = field(default_factory=dict)
    rounds: dict[int, RoundState] = field(default_factory=dict)
    pending: list[tuple[int, str, str]] = field(default_factory=list)
    """Decisions (sequence, key, value) of which nothing was derived yet."""
    round: int = 0
    merged: int = 0
    newcomers: int = 0
    """Nodes without a stake that enrolled since the last round opened."""
    paid: int = 0
    paying: str = ""
    earned: dict[int, dict[Address, int]] = field(default_factory=dict)
    late: dict[str, dict[Address, int]] = field(default_factory=dict)
    owed: dict[tuple[int, Address], int] = field(default_factory=dict)
    unsettled: bool = False
    over: bool = False
    began: int = 0
    """Chain time at which its first round opened."""
    posted: list[PostedWork] = field(default_factory=list)
    worked: dict[Address, list[PaidWork]] = field(default_factory=dict)
    """Work that no invoice has claimed, by node, of the hours that one may still name."""
    invoices: list[InvoiceState] = field(default_factory=list)
    prices: list[Price] = field(default_factory=list)
    capital: dict[Address, int] = field(default_factory=dict)
    """Capital (micro-USD) that was credited and not paid in tokens yet, by account."""
    overpaid: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By machine, what its hours were paid (micro-USD) beyond their cost and was taken off nothing yet, and since which
    hour."""
    funded: int = 0
    """All capital (micro-USD) that was ever credited."""
    payable: int = 0
    """All that the holders may ever pay back (micro-USD)."""


@dataclass(slots=True)
class RoundState(Scope):
    """One outer step of a run."""

    run: RunId = NO_RUN
    number: int = 0
    theta: str = ""
    momentum: str = ""
    config: str = ""
    data_seed: str = ""
    k: int = 0
    opened_at: int = 0
    """Chain time of the block by which stakes count in it."""
    verifiers: frozenset[Address] = frozenset()
    anchors: dict[Address, Anchored] = field(default_factory=dict)
    """The anchor of each verifier, as it counts in this round."""
    listed: dict[Address, Listed] = field(default_factory=dict)
    reserved: dict[Address, int] = field(default_factory=dict)
    """Stake (wei) that is reserved for a node that has not committed."""
    phase: Phase = Phase.OPEN
    proofs: dict[Address, ProofId] = field(default_factory=dict)
    """Proof by node, in the order of commitments."""
    closed: tuple[ProofId, ...] = ()
    closed_at: int = 0
    """The entry that `Seen` has to name: the closing one, or the last missed beacon."""
    beacon: BeaconFixed | None = None
    closed_before: set[int] = field(default_factory=set)
    beacon_time: int = 0
    missed: bool = False
    unseen: bool = False
    """Whether k verifiers said that `Seen` did not come."""
    seen: dict[Address, str] = field(default_factory=dict)
    seen_late: set[tuple[Address, int]] = field(default_factory=set)
    secrets: dict[Address, str] = field(default_factory=dict)
    silent: set[Address] = field(default_factory=set)
    """Verifiers that were found to have fallen silent in this round: it costs once."""
    merge_set: MergeSet | None = None
    merge_at: int = 0
    merges: dict[Address, set[tuple[str, str]]] = field(default_factory=dict)
    """Outer states (weights, momentum) by the verifier that signed them."""


@dataclass(slots=True)
class Seat:
    """A verifier that sits: it draws, or gives its seat up."""

    segments: tuple[int, ...] | None = None
    given_up: bool = False
    ready: bool = False
    """Whether all that its draw asks for is open."""


@dataclass(slots=True)
class SegmentState:
    """A segment that somebody drew."""

    drawers: list[Address] = field(default_factory=list)
    words: dict[Address, SegmentWord] = field(default_factory=dict)
    replaced: set[Address] = field(default_factory=set)
    heard: set[tuple[Address, Word]] = field(default_factory=set)
    """Every class of word that anybody said, counted or not."""
    questioned: bool = False
    called: set[Address] = field(default_factory=set)
    wide: bool = False
    looked: frozenset[Address] = frozenset()
    """Verifiers whose `false` and `unserved` went through a second look."""
    true: bool | None = None
    stood: set[Address] = field(default_factory=set)
    """Verifiers whose `unserved` stood a whole period after k had said true."""
    read: set[Address] = field(default_factory=set)
    """Verifiers that said what their replay gave while they were asked, and were never late on the proof."""

    def sayers(self, word: Word) -> set[Address]:
        """The verifiers with this word."""
        return {name for name, answer in self.words.items() if answer.word is word}


@dataclass(slots=True)
class ProofState(Scope):
    """A proof on its way."""

    commitment: Committed = None  # type: ignore[assignment]
    index: int = 0
    reserved: int = 0
    has: set[Address] = field(default_factory=set)
    stage: Stage = Stage.COMMITTED
    audited: bool = True
    order: tuple[Address, ...] = ()
    seats: dict[Address, Seat] = field(default_factory=dict)
    segments: dict[int, SegmentState] = field(default_factory=dict)
    opened: set[int] = field(default_factory=set)
    common: int = 0
    beacon: str = ""
    panel_at: int = 0
    silent: set[Address] = field(default_factory=set)
    back: set[Address] = field(default_factory=set)
    """Verifiers that fell silent and returned: each is awaited once more."""
    late: set[Address] = field(default_factory=set)
    """Verifiers of which anybody ever said that their words did not come in time: one honest verifier says so of each
    late one, and a corrupt one cannot keep it from being said."""
    witnesses: dict[Address, str] = field(default_factory=dict)
    traces: dict[Address, str] = field(default_factory=dict)
    pledge: PledgeOpened | None = None
    pledge_lapsed: bool = False
    withheld: bool = False
    void: tuple[Reason, int | None] | None = None
    found: list[tuple[Address, Fault]] = field(default_factory=list)
    """Verifiers' faults that are to be derived."""
    faults: set[tuple[Address, Fault]] = field(default_factory=set)
    overruled: set[Address] = field(default_factory=set)
    ended_at: int = 0

    @property
    def done(self) -> bool:
        """Whether nothing can change its end."""
        return self.stage in FINISHED


@dataclass(slots=True)
class EpochState:
    """An epoch: its newest root and those before it, the entry that closed it first, and what the chain said of it.

    `owed` and `earned` are the token units that are due, by kind and account: from earlier epochs, and by its emission.
    `fallen` counts its roots that fell there, as the contract numbers its attempts; `struck`: holders struck one down,
    and no later one pays.
    """

    closed: EpochClosed
    index: int
    owed: dict[tuple[int, Address], int]
    earned: dict[tuple[int, Address], int]
    given: dict[tuple[int, str], tuple[EpochClosed, int]] = field(default_factory=dict)
    fallen: int = 0
    struck: bool = False
    final: tuple[int, str] | None = None


@dataclass(slots=True)
class State:
    """One deployment. `size` is the number of entries so far; `open` all that is awaited, and since when."""

    functions: Functions
    size: int = 0
    version: str = ""
    k: int = 0
    least_stake: int = 0
    limit: int | None = None
    block: Block | None = None
    verifiers: dict[Address, VerifierState] = field(default_factory=dict)
    stakes: dict[Address, int] = field(default_factory=dict)
    reserved: dict[Address, int] = field(default_factory=dict)
    slashes: dict[ProofId, tuple[Address, int]] = field(default_factory=dict)
    """Stake (node, wei) that is held until the slash for a proof is final."""
    faults: dict[tuple[ProofId, Address, str], int] = field(default_factory=dict)
    """Offences that cost stake (proof, party, fault or "" for a node), by entry, until the slash is final."""
    signable: set[tuple[ProofId, Address, str]] = field(default_factory=set)
    """Those of `faults` under an epoch's root that is final on the chain: nobody was shown another log (J2)."""
    nonces: set[tuple[Address, int]] = field(default_factory=set)
    credited: set[str] = field(default_factory=set)
    hired: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Hours that invoices of whichever run have named, by node and by machine."""
    priced: bool = False
    remembered: int = 0
    """Whether any round opened with a price of tokens, and the hour from which on all work is remembered."""
    runs: dict[RunId, RunState] = field(default_factory=dict)
    proofs: dict[ProofId, ProofState] = field(default_factory=dict)
    epochs: dict[int, EpochState] = field(default_factory=dict)
    epoch: int = 0
    finals: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Attempt and root that the chain made final of epochs that have not closed here; they come in order, so that
    they are few."""
    falls: dict[int, tuple[int, bool]] = field(default_factory=dict)
    """For the same epochs: how many roots fell on the chain, and whether holders struck one down."""
    open: dict[Awaited, int] = field(default_factory=dict)
    leaves: int = 0
    """Leaves of the log beneath; 0 where none is."""
    peaks: list[str] = field(default_factory=list)
    roots: dict[int, str] = field(default_factory=dict)
    """Roots of the log up to and with an entry that messages may name (judge/roots.py)."""
    touched_proofs: dict[ProofId, None] = field(default_factory=dict)
    touched_rounds: dict[tuple[RunId, int], None] = field(default_factory=dict)
    touched_runs: dict[RunId, None] = field(default_factory=dict)

    def round_of(self, proof: ProofState) -> RoundState:
        """The round that a proof belongs to."""
        return self.runs[proof.commitment.run].rounds[proof.commitment.round]

    def touch(self, proof: ProofState) -> None:
        """Look at a proof again, and at its round."""
        commitment = proof.commitment
        self.touched_proofs[commitment.proof] = None
        self.touched_rounds[commitment.run, commitment.round] = None
