"""The signed messages of judgement, as version 0.2.0 of the protocol has them (EIP-712 structs).

No contract reads them, so they carry no deadline: whether one comes in time follows from the log (docs/judge.md).
A message is kept once, under its digest; where its author may say the same again later, a `nonce` tells them apart.
Steps, tokens and bytes are counts, stakes are wei, errors are in 1e-18, rates in parts per million.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.messages.fields import (
    Address,
    AddressList,
    Bool,
    Bytes32,
    Bytes32List,
    Struct,
    Text,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Uint256,
)
from contracts.messages.for_contracts import Message


@dataclass(frozen=True)
class RunTerms(Message):
    """The terms of a run: their digest is the run's id; the fields that decide are those of judge/facts.py:Terms.

    A period of the verifiers is `periodSeconds` long, that of an opening longer by the bytes asked for at `leastRate`
    bytes a second; a node without a heartbeat for `leaseSeconds` may lapse. `profiles` are the numerics profiles
    under which nodes may compute; `momentum` and `inner` the digests of the outer momentum and of a joiner's optimizer
    state at the start, all zeros: a verifier that anchors has computed them itself.
    """

    model: Bytes32
    creator: Address
    config: Bytes32
    genesis: Bytes32
    emission: Uint256
    roundsPerEpoch: Uint32
    minNodes: Uint32
    maxNodes: Uint32
    panel: Uint32
    samples: Uint32
    auditFloor: Uint32
    nodeStake: Uint256
    beaconSpan: Uint32
    rootSeconds: Uint32
    behindRounds: Uint32
    canaries: Uint32
    canaryWindow: Uint32
    periodSeconds: Uint32
    leaseSeconds: Uint32
    leastRate: Uint64
    profiles: Bytes32List
    momentum: Bytes32
    inner: Bytes32
    nonce: Uint256


@dataclass(frozen=True)
class Enrolment(Message):
    """A node joins from a round on, names its numerics profile and the address that its share is paid to.

    Of enrolments and leaves of a node the one with the highest `nonce` counts, whatever the order in the log.
    """

    run: Bytes32
    node: Address
    payout: Address
    firstRound: Uint64
    profile: Bytes32
    nonce: Uint256


@dataclass(frozen=True)
class Leave(Message):
    """A node leaves after the round that is open."""

    run: Bytes32
    node: Address
    nonce: Uint256


@dataclass(frozen=True)
class Return(Message):
    """A party that lapsed is back: its copy of the log has `size` entries under `root`, its lapse among them."""

    run: Bytes32
    party: Address
    size: Uint64
    root: Bytes32


@dataclass(frozen=True)
class VerifierAnchor(Message):
    """A verifier binds itself to one secret a round, to a profile, and to the Ed25519 key of its cosignatures.

    `anchor` is the Merkle root over `length` secrets, the first of them for `firstRound`: two rounds after the open one
    at the earliest, and later than that of the verifier's last anchor.
    """

    run: Bytes32
    verifier: Address
    anchor: Bytes32
    length: Uint32
    firstRound: Uint64
    profile: Bytes32
    logKey: Bytes32


@dataclass(frozen=True)
class MirrorAddress(Message):
    """The address of a verifier's mirror; the highest `sequence` counts."""

    verifier: Address
    url: Text
    sequence: Uint64


@dataclass(frozen=True)
class LeaseRenewal(Message):
    """A node is alive and at inner step `step`. Mirrors keep it; the log does not."""

    run: Bytes32
    round: Uint64
    node: Address
    step: Uint32


@dataclass(frozen=True)
class Commitment(Message):
    """A node's commitment to all inner steps of one round, made before anyone knows which are read.

    `root` is the positional Merkle root over `boundaries` entries of 64 bytes, weights' digest and optimizer state's
    digest; the first is `startState` and `innerState`, the last `endState` and `innerEnd`, each with its path beside
    the message. `gradient` is the digest of the pseudo-gradient, `gradientBlob` the BLAKE3 name of its
    `gradientSize` bytes. `pledge` seals whether the work is a canary.
    """

    run: Bytes32
    round: Uint64
    node: Address
    startState: Bytes32
    innerState: Bytes32
    root: Bytes32
    boundaries: Uint32
    endState: Bytes32
    innerEnd: Bytes32
    gradient: Bytes32
    gradientBlob: Bytes32
    gradientSize: Uint64
    dataSeed: Bytes32
    config: Bytes32
    profile: Bytes32
    pledge: Bytes32
    tokens: Uint64


@dataclass(frozen=True)
class Has(Message):
    """Data-availability attestation: the verifier holds these proofs' gradients, hashed, finite, of the layout, and
    each leads from the round's weights to the committed end."""

    run: Bytes32
    round: Uint64
    verifier: Address
    proofs: Bytes32List


@dataclass(frozen=True)
class Seen(Message):
    """Commitment cosignature: the log up to the closing entry `index` has `root`, and the chain has no beacon yet."""

    run: Bytes32
    round: Uint64
    verifier: Address
    index: Uint64
    root: Bytes32


@dataclass(frozen=True)
class RoundSecret(Message):
    """A verifier's secret of one round, for all its draws; its path to the anchor is beside the message."""

    run: Bytes32
    round: Uint64
    verifier: Address
    secret: Bytes32


@dataclass(frozen=True)
class StateOpening(Message):
    """A node opens one committed boundary: its entry is the digests of weights and optimizer state, its path stands
    beside the message, and `blob` is the BLAKE3 name of the state's `size` safetensors bytes."""

    proof: Bytes32
    boundary: Uint32
    weights: Bytes32
    inner: Bytes32
    blob: Bytes32
    size: Uint64


@dataclass(frozen=True)
class SegmentVerdict(Struct):
    """One word: 1 true, 2 false with its reason, 3 drift, 4 unserved; the measured error and its limit."""

    segment: Uint32
    word: Uint8
    reason: Uint16
    measured: Uint256
    limit: Uint256


@dataclass(frozen=True)
class Verdict(Message):
    """A verifier's words on segments of a proof; `witness` seals its trace of the common one, zero without; `root` is
    that of the log up to and with the entry that drew the panel."""

    proof: Bytes32
    verifier: Address
    root: Bytes32
    witness: Bytes32
    words: tuple[SegmentVerdict, ...]


@dataclass(frozen=True)
class PledgeReveal(Message):
    """A node opens its pledge: `fake` is the segment it knows to be bad, or 2**32 - 1 for honest work."""

    proof: Bytes32
    salt: Bytes32
    fake: Uint32


@dataclass(frozen=True)
class TraceReveal(Message):
    """A verifier opens its seal: the trace of the segment that all seats replayed."""

    proof: Bytes32
    verifier: Address
    trace: Bytes32


@dataclass(frozen=True)
class Lapse(Message):
    """Timeout attestation: the verifier's copy held entry `since`, the last one under `root`, for one whole period, and
    neither the log nor the mirrors have what is awaited.

    `what` counts judge/facts.py:What from 0. `proof` is zero where a round awaits it; `segment` is 2**32 - 1 but for a
    second look.
    """

    run: Bytes32
    round: Uint64
    verifier: Address
    what: Uint8
    proof: Bytes32
    party: Address
    segment: Uint32
    since: Uint64
    root: Bytes32


@dataclass(frozen=True)
class Merge(Message):
    """A verifier computed the outer step over the round's merge set, the last entry under `root`; it serves the two
    blobs.

    `heldOutLoss` is in 1e-9 nats per token, a measurement that no quorum depends on.
    """

    run: Bytes32
    round: Uint64
    verifier: Address
    root: Bytes32
    theta: Bytes32
    momentum: Bytes32
    thetaBlob: Bytes32
    momentumBlob: Bytes32
    heldOutLoss: Uint64


@dataclass(frozen=True)
class Contribution(Message):
    """Maintainers say that `subject` (a commit, a manifest of data) is worth `weight` in a run; `account` is paid.

    `kind` is that of the payout leaves: 1 code, 3 data. `licence` is that of data, or that of the code's repository.
    """

    run: Bytes32
    kind: Uint8
    source: Text
    subject: Text
    licence: Text
    account: Address
    weight: Uint256


@dataclass(frozen=True)
class Invoice(Message):
    """A renter's cost of one rented machine, which maintainers vouch for: `amount` millionths of a US dollar for the
    whole hours from `fromHour` on and before `toHour` (hours since 1970, UTC), by a provider's bill whose bytes have
    the SHA-256 `bill`.

    `nodes`, in ascending order, are the node keys that worked on it, all paid at `account`, which signs, too.
    `machine` is the provider's name of the rental. With `payback` the holders are asked to pay the cost back, else it
    counts as capital (docs/adr/0061-money-spent-on-a-run.md).
    """

    run: Bytes32
    renter: Address
    account: Address
    provider: Text
    machine: Text
    bill: Bytes32
    nodes: AddressList
    fromHour: Uint32
    toHour: Uint32
    amount: Uint64
    payback: Bool


JUDGED: tuple[type[Message], ...] = (
    RunTerms,
    Enrolment,
    Leave,
    Return,
    VerifierAnchor,
    MirrorAddress,
    LeaseRenewal,
    Commitment,
    Has,
    Seen,
    RoundSecret,
    StateOpening,
    Verdict,
    PledgeReveal,
    TraceReveal,
    Lapse,
    Merge,
    Contribution,
    Invoice,
)
"""All messages of judgement."""
