"""Facts: what comes from outside the machine, each checked for shape and signature before it comes here.

A fact is one entry of the log. Addresses, run ids, proof ids and digests are text (0x-hex in a running service); rounds
count from 1, segments and boundaries from 0; amounts are whole numbers (wei, token units, parts per million).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.ids import Address, ProofId, RunId
from contracts.protocol.judge.chain_events import ChainEvent


class What(StrEnum):
    """Things that can be awaited of somebody, so that k verifiers can say that one did not come."""

    COMMITMENT = "commitment"
    """A node's commitment to a round, with the gradient in the hands of k verifiers."""
    SEEN = "seen"
    """k verifiers' `Seen` of the entry since which a beacon is awaited (party: empty)."""
    SECRET = "secret"  # noqa: S105 - no password
    """A seated verifier's secret of a round, which fixes its draws."""
    OPENINGS = "openings"
    """The states that one verifier's draw asks a node for."""
    WORDS = "words"
    """A verifier's words on all segments that it has to read of one proof."""
    SECOND_LOOK = "second-look"
    """The period in which `unserved` may be replaced on one segment (party: the segment's number)."""
    PLEDGE = "pledge"
    """A node's pledge, once the reading of its proof has ended."""
    TRACE = "trace"
    """The trace of the common segment, which a verifier sealed with its words."""


class Word(StrEnum):
    """A verifier's verdict on one segment: true, false, drift or unserved."""

    TRUE = "true"
    FALSE = "false"
    DRIFT = "drift"
    """Beyond a measured limit without a proof of fault: in bounded runs only, and blameless."""
    UNSERVED = "unserved"


class Reason(StrEnum):
    """Why a proof was not posted. `AT_FAULT` names those that cost stake."""

    REPLAY = "replay-mismatch"
    NOT_FINITE = "not-finite"
    WITHHELD = "opening-withheld"
    UNSERVED = "unserved"
    PLEDGE_WITHHELD = "pledge-withheld"
    DRIFT = "drift"
    UNDECIDED = "undecided"
    CANARY = "canary"


AT_FAULT = frozenset(
    {
        Reason.REPLAY,
        Reason.NOT_FINITE,
        Reason.WITHHELD,
        Reason.UNSERVED,
        Reason.PLEDGE_WITHHELD,
    }
)
FALSE_REASONS = frozenset({Reason.REPLAY, Reason.NOT_FINITE})
"""The reasons that a word `false` may give."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """An awaited thing and its party: in a round (proof empty) or for a proof (round of the proof beside it)."""

    what: What
    run: RunId
    round: int
    proof: ProofId
    party: str


class Fact:
    """Base of all facts."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Rules(Fact):
    """The first entry: the version of the rules that everything after it follows."""

    version: str


@dataclass(frozen=True, slots=True)
class Block(Fact):
    """A final block, with all that it and the blocks since the last entered one said. Times in Unix seconds.

    Where that is too much for one entry, `more` says that the next one is of the same block.
    `parent_time` is its parent's: so that nobody who enters blocks can pass over the one that is a beacon.
    """

    number: int
    time: int
    hash: str
    events: tuple[ChainEvent, ...] = ()
    parent_time: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of a run's manifest. Rates in parts per million, stakes in wei, `span` in seconds of chain time.

    `panel` verifiers read each audited proof (0: all), `samples` segments each. `max_nodes` take part at most.
    `exact` says whether replays are bit for bit. `pairs` are the (node profile, verifier profile) that can judge: those
    with measured limits, or in an exact run of several profiles those that give the same bits; None where all judge
    all. A canary is excused at most `canaries` times in `canary_window` rounds. A verifier that the full bench
    overruled sits behind the others for `behind_rounds` rounds.
    """

    emission: int
    rounds_per_epoch: int
    min_nodes: int
    max_nodes: int
    panel: int
    samples: int
    audit_floor: int
    node_stake: int
    span: int
    root_seconds: int
    behind_rounds: int
    canaries: int
    canary_window: int
    exact: bool
    profiles: tuple[str, ...]
    pairs: frozenset[tuple[str, str]] | None = None

    @property
    def several(self) -> bool:
        """Whether each proof is judged bit for bit by the verifiers that read its own profile (ADR 67)."""
        return self.exact and self.pairs is not None


@dataclass(frozen=True, slots=True)
class RunCreated(Fact):
    """A run's manifest. `theta` and `momentum` are digests of the outer state that it begins with, `inner` that of a
    joiner's optimizer state; `config` is the configuration's canonical text, `limits` that of the table of a run with
    limits, from which the terms' pairs follow."""

    run: RunId
    creator: Address
    nonce: int
    terms: Terms
    config: str
    theta: str
    momentum: str
    inner: str
    limits: str = ""


@dataclass(frozen=True, slots=True)
class Anchored(Fact):
    """A verifier binds itself to one secret a round: `anchor` is the Merkle root of `length` secrets from round
    `first` on."""

    run: RunId
    verifier: Address
    anchor: str
    length: int
    profile: str
    first: int


@dataclass(frozen=True, slots=True)
class Enrolled(Fact):
    """A node joins from round `first_round` on, computes under `profile`, and is paid at `payout`.

    Of what a node says of its place, the highest `sequence` counts.
    """

    run: RunId
    node: Address
    payout: Address
    first_round: int
    profile: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Left(Fact):
    """A node leaves: it is not awaited after the open round. `sequence` as in `Enrolled`."""

    run: RunId
    node: Address
    sequence: int


@dataclass(frozen=True, slots=True)
class Returned(Fact):
    """Somebody who lapsed is back: it signed the head of a log of `size` entries, which holds its lapse."""

    run: RunId
    party: Address
    size: int


@dataclass(frozen=True, slots=True)
class Committed(Fact):
    """A node's commitment to a round; its first and last entries' paths were checked against the commitment's root."""

    run: RunId
    round: int
    node: Address
    proof: ProofId
    theta: str
    inner: str
    inner_end: str
    gradient: str
    size: int
    data_seed: str
    config: str
    profile: str
    pledge: str
    segments: int
    tokens: int
    root: str = ""


@dataclass(frozen=True, slots=True)
class Has(Fact):
    """A verifier holds these proofs' gradients: hashed, finite, of the layout, and leading to the committed end."""

    run: RunId
    round: int
    verifier: Address
    proofs: tuple[ProofId, ...]


@dataclass(frozen=True, slots=True)
class Seen(Fact):
    """A verifier's chain had not come to the beacon when its copy held the closing entry at `index` under `root`."""

    run: RunId
    round: int
    verifier: Address
    index: int
    root: str


@dataclass(frozen=True, slots=True)
class Secret(Fact):
    """A verifier's secret of a round, with its path to the anchor (checked by `Functions.check_secret`)."""

    run: RunId
    round: int
    verifier: Address
    secret: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened(Fact):
    """A node opens one boundary: `state` is its entry of 64 bytes, which `path` leads to the commitment's root."""

    proof: ProofId
    boundary: int
    state: str
    blob: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentWord:
    """One word; `reason` goes with `false` alone. `measured` and `limit` in 1e-18."""

    segment: int
    word: Word
    reason: Reason | None = None
    measured: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Words(Fact):
    """A verifier's words on segments that it had to read; `witness` seals its trace of the common segment, or is
    empty; `root` is that of the log up to and with the entry that drew the proof's panel."""

    proof: ProofId
    verifier: Address
    words: tuple[SegmentWord, ...]
    witness: str = ""
    root: str = ""


@dataclass(frozen=True, slots=True)
class PledgeOpened(Fact):
    """A node's pledge, sealed at its commitment: `fake` is the segment it knows to be bad, None for honest work."""

    proof: ProofId
    salt: str
    fake: int | None


@dataclass(frozen=True, slots=True)
class TraceShown(Fact):
    """A verifier's trace of the common segment, as it sealed it with its words."""

    proof: ProofId
    verifier: Address
    trace: str


@dataclass(frozen=True, slots=True)
class Lapse(Fact):
    """A verifier's copy held the entry `since`, under `root`, for a whole period, and neither log nor mirrors have what
    is awaited."""

    verifier: Address
    awaited: Awaited
    since: int
    root: str = ""


@dataclass(frozen=True, slots=True)
class MergeSigned(Fact):
    """A verifier computed the outer step over the merge set itself; `root` is that of the log up to and with it."""

    run: RunId
    round: int
    verifier: Address
    theta: str
    momentum: str
    root: str = ""


@dataclass(frozen=True, slots=True)
class Credited(Fact):
    """Maintainers of the run's configuration vouch for a contribution; `key` names what was contributed."""

    run: RunId
    key: str
    kind: int
    account: Address
    weight: int
    signers: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Invoiced(Fact):
    """Maintainers vouch for a renter's cost (micro-USD) of one machine, in whole hours since 1970 from `first` on and
    before `end`; the work of its nodes is paid at `account`. `key` is the message's digest, `bill` that of the
    provider's bill; `payback` asks the holders for the money, and leaves capital out."""

    run: RunId
    key: str
    renter: Address
    account: Address
    provider: str
    machine: str
    bill: str
    nodes: tuple[Address, ...]
    first: int
    end: int
    amount: int
    payback: bool
    signers: tuple[Address, ...]


Vouched = Credited | Invoiced
"""Facts that maintainers sign."""
