"""Every signed message of the protocol, defined once (EIP-712 structs).

A message is a frozen dataclass whose fields are annotated with their Solidity type; the EIP-712 type string
follows from the class, so that name, order and types cannot drift from what is signed.
Units: tokens and steps are counts, deadlines are Unix seconds, errors are in 1e-18.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, TypeVar, get_type_hints

from contracts.errors import BadField

Address = Annotated[str, "address"]
Bytes32 = Annotated[bytes, "bytes32"]
Bool = Annotated[bool, "bool"]
Uint8 = Annotated[int, "uint8"]
Uint16 = Annotated[int, "uint16"]
Uint32 = Annotated[int, "uint32"]
Uint64 = Annotated[int, "uint64"]
Uint256 = Annotated[int, "uint256"]
Text = Annotated[str, "string"]

M = TypeVar("M", bound="Message")

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_BYTES32 = re.compile(r"0x[0-9a-fA-F]{64}")
_TEXT = re.compile(r"[\x20-\x7e]{1,200}")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")


@dataclass(frozen=True)
class Message:
    """Base of all messages; checks each field against its type. Raises BadField."""

    def __post_init__(self) -> None:
        for name, solidity in field_types(type(self)).items():
            _check_field(name, solidity, getattr(self, name))


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
class BisectionMove(Message):
    """In an appeal, what a party computed: keccak of the boundary entry after inner step `step` of the round."""

    proof: Bytes32
    party: Address
    step: Uint32
    state: Bytes32
    deadline: Uint64


@dataclass(frozen=True)
class StepOpening(Message):
    """In an appeal, the node opens the last state that both parties agree on; `blob` names its safetensors bytes."""

    proof: Bytes32
    step: Uint32
    stateDigest: Bytes32
    blob: Bytes32
    deadline: Uint64


@dataclass(frozen=True)
class AppealRuling(Message):
    """The panel's word on the one step that node and respondent disagree about; the node alone is an appellant."""

    model: Bytes32
    proof: Bytes32
    appellant: Address
    respondent: Address
    upheld: Bool
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
    """The payout root of one epoch, bound to the attempt and to the log's tree head that it was rebuilt from."""

    model: Bytes32
    epoch: Uint64
    attempt: Uint32
    root: Bytes32
    total: Uint256
    count: Uint64
    logSize: Uint64
    logRoot: Bytes32
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
    Verdict, WorkWitness, WorkReveal, VerifierFault, NodeFault, BisectionMove, StepOpening, AppealRuling,
    MergeAttestation, TreeHead, EpochRoot, CodeContribution, DataContribution,
)  # fmt: skip


def field_types(message: type[Message]) -> dict[str, str]:
    """Field name → Solidity type, in signing order."""
    hints = get_type_hints(message, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in fields(message)}


def type_string(message: type[Message]) -> str:
    """The EIP-712 encodeType, for instance `Opening(bytes32 proof,uint32 boundary,...)`."""
    inner = ",".join(f"{solidity} {name}" for name, solidity in field_types(message).items())
    return f"{message.__name__}({inner})"


def to_json(message: Message) -> dict[str, Any]:
    """Wire form: bytes as 0x-hex, uint256 as decimal strings, smaller integers as numbers."""
    types = field_types(type(message))
    return {name: _to_wire(solidity, getattr(message, name)) for name, solidity in types.items()}


def from_json(message: type[M], body: Mapping[str, Any]) -> M:
    """Read the wire form strictly. Raises BadField for a missing, unknown or misfitting field."""
    types = field_types(message)
    if set(body) != set(types):
        raise BadField(f"{message.__name__} takes exactly the fields {', '.join(types)}")
    return message(**{name: _from_wire(name, solidity, body[name]) for name, solidity in types.items()})


def _to_wire(solidity: str, value: Any) -> Any:
    if solidity == "bytes32":
        return "0x" + value.hex()
    return str(value) if solidity == "uint256" else value


def _from_wire(name: str, solidity: str, value: Any) -> Any:
    if solidity == "bytes32":
        if not isinstance(value, str) or not _BYTES32.fullmatch(value):
            raise BadField(f"{name} must be 0x followed by 64 hex digits")
        return bytes.fromhex(value[2:])
    if solidity == "uint256":
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            raise BadField(f"{name} must be a whole number as a decimal string")
        return int(value)
    return value


def _check_field(name: str, solidity: str, value: Any) -> None:
    if solidity == "bytes32":
        if not isinstance(value, bytes) or len(value) != 32:
            raise BadField(f"{name} must be 32 bytes")
        return
    if solidity == "address":
        if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
            raise BadField(f"{name} must be an address: 0x followed by 40 hex digits")
        return
    if solidity == "string":
        if not isinstance(value, str) or not _TEXT.fullmatch(value):
            raise BadField(f"{name} must be 1 to 200 printable ASCII characters")
        return
    if solidity == "bool":
        if not isinstance(value, bool):
            raise BadField(f"{name} must be true or false")
        return
    bits = int(solidity.removeprefix("uint"))
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << bits:
        raise BadField(f"{name} must be a whole number of at most {bits} bits")
