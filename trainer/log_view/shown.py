"""Views of the covered log's runs, rounds and proofs for a conduct; a view does not change with the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.ids import Address, BlobName, ProofId, RunId
from contracts.messages.for_log import Commitment
from contracts.protocol.judge.state import Stage


@dataclass(frozen=True)
class CoveredRun:
    """A run and its newest round, 0 before the first."""

    run: RunId
    round: int


@dataclass(frozen=True)
class CoveredProofLine:
    """A proof of a round: its node, and its stage."""

    proof: ProofId
    node: Address
    stage: Stage


@dataclass(frozen=True)
class CoveredRound:
    """A round: the digest of its configuration, that of its first weights, a file of them (empty where nobody named
    one), the listed nodes, and the proofs."""

    run: RunId
    number: int
    config: str
    data_seed: str
    theta: str
    theta_blob: BlobName
    nodes: tuple[Address, ...]
    proofs: tuple[CoveredProofLine, ...]


@dataclass(frozen=True)
class OpeningView:
    """The file that a boundary was opened in, and the boundary's path to the root."""

    blob: BlobName
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class CoveredProof:
    """A commitment with the paths beside it, and its openings by boundary."""

    proof: ProofId
    message: Commitment
    first_path: tuple[bytes, ...]
    last_path: tuple[bytes, ...]
    openings: Mapping[int, OpeningView] = field(default_factory=dict)
