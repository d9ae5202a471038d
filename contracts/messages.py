"""Every signed message of the protocol, defined once (EIP-712 structs).

What a message is made of, and its wire form, is in contracts/protocol/fields.py.
Units: tokens and steps are counts, deadlines are Unix seconds, errors are in 1e-18.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.protocol.fields import (
    Address,
    Bytes32,
    Struct,
    Text,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Uint256,
    field_types,
    from_json,
    to_json,
    type_string,
)

__all__ = ["field_types", "from_json", "to_json", "type_string"]


class Message(Struct):
    """Base of all messages: a struct that is signed by itself."""


@dataclass(frozen=True)
class NodeEnrolment(Message):
    """A node joins a run and names the address that its share is paid to."""

    run: Bytes32
    node: Address
    payout: Address
    nonce: Uint256
    deadline: Uint64


@dataclass(frozen=True)
class RunManifest(Message):
    """What a run is: its digest is the run's id. `emission` is in token units per epoch; `panel` verifiers read each
    proof (0: all), `samples` segments each. `auditFloor` is the least audit rate in parts per million, for nodes that
    hold `nodeStake` wei (contracts/audit_rate.py)."""

    model: Bytes32
    creator: Address
    config: Bytes32
    genesis: Bytes32
    emission: Uint256
    roundsPerEpoch: Uint32
    minNodes: Uint32
    samples: Uint32
    panel: Uint32
    auditFloor: Uint32
    nodeStake: Uint256
    leaseSeconds: Uint32
    phaseSeconds: Uint32
    nonce: Uint256
    deadline: Uint64


@dataclass(frozen=True)
class DrawAnchor(Message):
    """A verifier binds itself to a hash chain before any round: `anchor` is hashed `length` times from a secret."""

    run: Bytes32
    verifier: Address
    anchor: Bytes32
    length: Uint32
    deadline: Uint64


@dataclass(frozen=True)
class Heartbeat(Message):
    """A node is alive and at inner step `step` of `round`; its lease starts anew."""

    run: Bytes32
    round: Uint64
    node: Address
    step: Uint32
    deadline: Uint64


@dataclass(frozen=True)
class BlobUpload(Message):
    """Leave to store `size` bytes under their BLAKE3 digest."""

    run: Bytes32
    uploader: Address
    blob: Bytes32
    size: Uint64
    deadline: Uint64


@dataclass(frozen=True)
class StepProof(Message):
    """A node's commitment to all inner steps of one round, made before anyone knows which are checked.

    `commitment` is the positional Merkle root over `boundaries` entries, one every H/(boundaries-1) steps; an entry
    is the digest of the weights followed by that of the inner optimizer state. `startState` and `endState` are
    weight digests, `innerState` and `innerEnd` those of the optimizer state beside them. `pledge` seals whether the
    work is a canary (contracts/pledge.py).
    """

    run: Bytes32
    round: Uint64
    node: Address
    startState: Bytes32
    innerState: Bytes32
    commitment: Bytes32
    boundaries: Uint32
    endState: Bytes32
    innerEnd: Bytes32
    pseudoGradient: Bytes32
    dataSeed: Bytes32
    config: Bytes32
    profile: Bytes32
    pledge: Bytes32
    steps: Uint32
    tokens: Uint64
    deadline: Uint64


@dataclass(frozen=True)
class Challenge(Message):
    """A verifier asks for openings; `link` is the hash-chain value that fixes its draw together with the beacon."""

    proof: Bytes32
    verifier: Address
    beaconBlock: Uint64
    beacon: Bytes32
    link: Bytes32
    deadline: Uint64


@dataclass(frozen=True)
class Opening(Message):
    """A node opens one committed boundary; `blob` is the BLAKE3 address of the state's safetensors bytes."""

    proof: Bytes32
    boundary: Uint32
    stateDigest: Bytes32
    blob: Bytes32
    deadline: Uint64


@dataclass(frozen=True)
class PledgeOpening(Message):
    """A node opens its pledge: `fake` is the segment it knows to be bad, or 2**32 - 1 for honest work."""

    proof: Bytes32
    salt: Bytes32
    fake: Uint32
    deadline: Uint64


@dataclass(frozen=True)
class Verdict(Message):
    """A verifier's outcome on one proof (0 undecided, 1 accept, 2 reject) with measured error and limit in 1e-18."""

    proof: Bytes32
    verifier: Address
    stage: Uint8
    outcome: Uint8
    reason: Uint16
    segment: Uint32
    measured: Uint256
    limit: Uint256
    deadline: Uint64


@dataclass(frozen=True)
class WorkWitness(Message):
    """Before its verdict a verifier binds itself to what it computed in the common segment (contracts/faults.py)."""

    proof: Bytes32
    verifier: Address
    witness: Bytes32
    deadline: Uint64


@dataclass(frozen=True)
class WorkReveal(Message):
    """What a verifier bound itself to in its witness: the trace of the segment that all verifiers replayed."""

    proof: Bytes32
    verifier: Address
    trace: Bytes32
    deadline: Uint64


@dataclass(frozen=True)
class VerifierFault(Message):
    """A verifier did not do its work; `evidence` is a hash over proof and kind of fault (contracts/faults.py)."""

    model: Bytes32
    verifier: Address
    evidence: Bytes32
    deadline: Uint64


@dataclass(frozen=True)
class NodeFault(Message):
    """A node's proof was rejected by k verifiers for a reason that costs stake; once per proof."""

    model: Bytes32
    node: Address
    proof: Bytes32
    deadline: Uint64


@dataclass(frozen=True)
class MergeAttestation(Message):
    """A verifier computed the outer step over `accepted` (hash over the proof ids in node order) itself.

    `heldOutLoss` is in 1e-9 nats per byte, a measurement that no quorum depends on.
    """

    run: Bytes32
    round: Uint64
    verifier: Address
    accepted: Bytes32
    theta: Bytes32
    momentum: Bytes32
    heldOutLoss: Uint64
    deadline: Uint64


@dataclass(frozen=True)
class TreeHead(Message):
    """The operator's word for the transparency log: size, root (RFC 6962) and Unix time."""

    logSize: Uint64
    logRoot: Bytes32
    timestamp: Uint64


@dataclass(frozen=True)
class EpochRoot(Message):
    """The payout root of one epoch, bound to the attempt and to the log's tree head that it was rebuilt from.

    `closedAt` is the chain's time at which the epoch closed by the log.
    """

    model: Bytes32
    epoch: Uint64
    attempt: Uint32
    root: Bytes32
    total: Uint256
    count: Uint64
    logSize: Uint64
    logRoot: Bytes32
    closedAt: Uint64
    deadline: Uint64


@dataclass(frozen=True)
class CodeContribution(Message):
    """Maintainers say that a commit of the model's code is worth `weight`; `author` is who is paid."""

    model: Bytes32
    repo: Text
    commit: Text
    author: Address
    weight: Uint256
    deadline: Uint64


@dataclass(frozen=True)
class DataContribution(Message):
    """Maintainers say that the data of a manifest, under `licence`, are worth `weight`; `author` is who is paid."""

    model: Bytes32
    manifest: Bytes32
    licence: Text
    author: Address
    weight: Uint256
    deadline: Uint64


MESSAGES: tuple[type[Message], ...] = (
    RunManifest, NodeEnrolment, DrawAnchor, Heartbeat, BlobUpload, StepProof, Challenge, Opening, PledgeOpening,
    Verdict, WorkWitness, WorkReveal, VerifierFault, NodeFault,
    MergeAttestation, TreeHead, EpochRoot, CodeContribution, DataContribution,
)  # fmt: skip
