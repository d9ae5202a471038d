"""What the covered log shows of runs, rounds and proofs, as a conduct reads it; nothing here changes with the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.ids import Address, BlobName, ProofId, RunId
from contracts.messages.for_log import Commitment
from contracts.protocol.judge.state import Stage


@dataclass(frozen=True)
class RunLine:
    """A run and its newest round, 0 before the first."""

    run: RunId
    round: int


@dataclass(frozen=True)
class ProofLine:
    """A proof of a round: whose it is, and where it stands."""

    proof: ProofId
    node: Address
    stage: Stage


@dataclass(frozen=True)
class RoundView:
    """A round: the digest of the weights that it begins with, a file of them (empty where nobody named one), who is
    listed, and what was committed to."""

    run: RunId
    number: int
    data_seed: str
    theta: str
    theta_blob: BlobName
    nodes: tuple[Address, ...]
    proofs: tuple[ProofLine, ...]


@dataclass(frozen=True)
class OpeningView:
    """The file that a boundary was opened in, and the boundary's path to the root."""

    blob: BlobName
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class ProofView:
    """A commitment with the paths beside it, and what was opened of it, by boundary."""

    proof: ProofId
    message: Commitment
    first_path: tuple[bytes, ...]
    last_path: tuple[bytes, ...]
    openings: Mapping[int, OpeningView] = field(default_factory=dict)
