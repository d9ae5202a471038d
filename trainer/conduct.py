"""How a node behaves in a round: what it runs, what it commits to and what it opens.

`Conduct` does all three honestly; every cheat of trainer.cheats overrides the ones that it does otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eth_account.signers.local import LocalAccount

from contracts.messages import StepProof
from contracts.pledge import Pledge, draw_pledge
from contracts.positional_tree import KECCAK_TREE
from contracts.run_config import RunConfig
from contracts.signing import Domain
from contracts.state_layout import inner_digest, theta_digest
from contracts.tensorfile import pack
from trainer.batches import BatchSource, batch_source
from trainer.client import deadline, octets
from trainer.corpus import Corpus
from trainer.profile import configure_determinism
from trainer.state import Tensors
from trainer.trajectory import OnStep, Trajectory, run_inner


class Surroundings(Protocol):
    """What a conduct sees beside its round: its key, the domain that it signs for, what is shown, and blobs by name."""

    domain: Domain

    @property
    def account(self) -> LocalAccount: ...

    @property
    def address(self) -> str: ...

    def get(self, path: str, **query: Any) -> Any: ...

    def blob(self, name: str) -> bytes: ...


@dataclass(frozen=True)
class Job:
    """What one round asks of one node. `round` is the round as the API shows it; `start` the full state."""

    client: Surroundings
    round: dict[str, Any]
    config: RunConfig
    corpus: Corpus
    start: Tensors

    @property
    def run(self) -> str:
        """The run's id, 0x-hex."""
        return str(self.round["run"])

    @property
    def number(self) -> int:
        """The round, from 1."""
        return int(self.round["round"])

    @property
    def node(self) -> str:
        """This node's address."""
        return self.client.address

    @property
    def data_seed(self) -> bytes:
        """The round's seed of all batches, 32 bytes."""
        return octets(self.round["data_seed"])

    def batches(self) -> BatchSource:
        """The batches that this node has to train on."""
        return batch_source(self.corpus.train, self.config, self.data_seed, self.number, self.node)


@dataclass(frozen=True)
class Commitment:
    """A StepProof with what is sent beside it: the packed pseudo-gradient and the paths of first and last entry.

    `domain` is the EIP-712 domain that it is signed for; None is the server's own.
    """

    message: StepProof
    gradient: bytes
    first_path: tuple[bytes, ...]
    last_path: tuple[bytes, ...]
    domain: Domain | None = None


@dataclass(frozen=True)
class Disclosure:
    """One boundary as a node shows it: its 64-byte entry, the state's packed bytes and the path to the root."""

    boundary: int
    entry: bytes
    packed: bytes
    path: tuple[bytes, ...]


class Conduct:
    """The honest way; a subclass is a cheat, or a canary."""

    canary_ppm = 0
    """Share of rounds with a segment that is bad on purpose, parts per million."""

    def pledge(self, job: Job) -> Pledge:
        """What the commitment seals of this round's work; the same for the same round. Raises BadField."""
        key = bytes(job.client.account.key)
        return draw_pledge(key, octets(job.run), job.number, job.config.segments, self.canary_ppm)

    def run_inner(self, job: Job, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The round's work. Raises StateMismatch and NonFiniteLoss."""
        return run_inner(job.config, job.start, job.batches(), on_step, folder)

    def commitments(self, job: Job, trajectory: Trajectory) -> Sequence[Commitment]:
        """What to commit to, in the order in which it is sent; openings are for the last."""
        return (commitment(job, trajectory, self.pledge(job)),)

    def openings(self, job: Job, trajectory: Trajectory, wanted: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """What to open now, where `wanted` are the boundaries asked for and not opened yet."""
        return [disclose(trajectory, boundary) for boundary in wanted]


def commitment(job: Job, trajectory: Trajectory, pledge: Pledge) -> Commitment:
    """The commitment that follows from a trajectory."""
    entries = list(trajectory.boundary_entries)
    end = trajectory.end_state
    message = StepProof(
        run=octets(job.run), round=job.number, node=job.node, startState=theta_digest(job.start),
        innerState=inner_digest(job.start), commitment=trajectory.root, boundaries=len(entries),
        endState=theta_digest(end), innerEnd=inner_digest(end), pseudoGradient=trajectory.pseudo_gradient_digest,
        dataSeed=job.data_seed, config=job.config.digest(),
        profile=configure_determinism(job.config.profile).digest(), pledge=pledge.seal(job.node),
        steps=job.config.steps, tokens=job.config.tokens_per_round, deadline=deadline(),
    )  # fmt: skip
    first, last = (tuple(KECCAK_TREE.inclusion_proof(entries, place)) for place in (0, len(entries) - 1))
    return Commitment(message, pack(trajectory.pseudo_gradient), first, last)


def disclose(trajectory: Trajectory, boundary: int) -> Disclosure:
    """Boundary `boundary` as it was committed to. Raises UnknownSegment."""
    opening = trajectory.opening(boundary)
    return Disclosure(boundary, trajectory.boundary_entries[boundary], opening.packed, opening.proof)
