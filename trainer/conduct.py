"""The behaviour of a node in a round: its training, its commitments and its openings.

`Conduct` is honest in all of them; each cheat of trainer.cheats overrides the methods in which it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from blake3 import blake3
from eth_account.signers.local import LocalAccount

from contracts.errors import CommonweightError
from contracts.ids import Address, ProofId, RunId, from_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.messages.for_log import Commitment
from contracts.messages.signatures import Domain
from contracts.protocol.pledge import Pledge, draw_pledge
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import inner_digest, theta_digest
from contracts.tensors.tensorfile import pack
from trainer.data.batches import BatchSource, batch_source
from trainer.data.corpus import Corpus
from trainer.data.draw import share_of
from trainer.log_view.shown import CoveredProof, CoveredRound, CoveredRun
from trainer.model.state import Tensors
from trainer.ranks.running import run_ranked
from trainer.steps.determinism import profile_of
from trainer.steps.settled import settle
from trainer.steps.trajectory import OnStep, Trajectory


class NothingToCopy(CommonweightError):
    """The work that a cheat copies was not made public in time: it does nothing in this round."""

    code = "nothing-to-copy"


class Surroundings(Protocol):
    """The surroundings of a conduct: its key, the domain that it signs for, views of the log, and blobs by name."""

    domain: Domain

    @property
    def account(self) -> LocalAccount: ...

    @property
    def address(self) -> Address: ...

    def runs(self) -> Sequence[CoveredRun]: ...

    def round(self, run: RunId, number: int) -> CoveredRound: ...

    def proof(self, name: ProofId) -> CoveredProof: ...

    def blob(self, name: str) -> bytes: ...


@dataclass(frozen=True)
class RoundTask:
    """One round of one node: its `config` is that by which a node of its profile computes, `text` gives the run's
    corpus, and `start` is the full state."""

    client: Surroundings
    round: CoveredRound
    config: RunConfig
    text: Callable[[], Corpus]
    start: Tensors

    @property
    def run(self) -> RunId:
        """The run's id."""
        return self.round.run

    @property
    def number(self) -> int:
        """The round, from 1."""
        return self.round.number

    @property
    def node(self) -> Address:
        """This node's address."""
        return self.client.address

    @property
    def data_seed(self) -> bytes:
        """The round's seed of all batches, 32 bytes."""
        return from_hex(self.round.data_seed)

    def batches(self) -> BatchSource:
        """The batches of this node in this round."""
        return self.batches_of(self.node)

    def batches_of(self, node: Address, data_seed: bytes | None = None) -> BatchSource:
        """The batches of a listed node in this round, or by another seed than the round's."""
        share = share_of(node, self.round.nodes)
        return batch_source(self.text(), self.config, data_seed or self.data_seed, self.number, share)


@dataclass(frozen=True)
class Made:
    """A commitment before it is signed, with the packed pseudo-gradient and the paths of first and last entry.

    `domain` is the EIP-712 domain of the signature; None is the deployment's own.
    """

    message: Commitment
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

    def pledge(self, task: RoundTask) -> Pledge:
        """The pledge that the commitment seals; the same for the same round. Raises BadField."""
        key = bytes(task.client.account.key)
        return draw_pledge(key, from_hex(task.run), task.number, task.config.segments, self.canary_ppm)

    def work(self, task: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The round's trajectory for the commitment, its end settled (J7). Raises StateMismatch and NonFiniteLoss."""
        return settle(task.start, self.run_inner(task, on_step, folder))

    def run_inner(self, task: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The steps of a round. Raises StateMismatch and NonFiniteLoss."""
        return run_ranked(task.config, task.start, task.batches(), on_step, folder)

    def commitments(self, task: RoundTask, trajectory: Trajectory) -> Sequence[Made]:
        """The round's commitments, in the order in which they are sent; openings are for the last."""
        return (commitment(task, trajectory, self.pledge(task)),)

    def openings(self, task: RoundTask, trajectory: Trajectory, boundaries: Sequence[int]) -> Sequence[Disclosure]:  # noqa: ARG002
        """The openings of now, where `boundaries` are those that the log asks for and lacks."""
        return [disclose(trajectory, boundary) for boundary in boundaries]


def commitment(task: RoundTask, trajectory: Trajectory, pledge: Pledge) -> Made:
    """The commitment that follows from a settled trajectory."""
    entries = list(trajectory.boundary_entries)
    end = trajectory.end_state
    gradient = pack(trajectory.pseudo_gradient)
    message = Commitment(
        run=from_hex(task.run),
        round=task.number,
        node=task.node,
        startState=theta_digest(task.start),
        innerState=inner_digest(task.start),
        root=trajectory.root,
        boundaries=len(entries),
        endState=theta_digest(end),
        innerEnd=inner_digest(end),
        gradient=trajectory.pseudo_gradient_digest,
        gradientBlob=blake3(gradient).digest(),
        gradientSize=len(gradient),
        dataSeed=task.data_seed,
        config=from_hex(task.round.config),
        profile=profile_of(task.config).digest(),
        pledge=pledge.seal(task.node),
        tokens=task.config.tokens_per_round,
    )
    first_path, last_path = (tuple(KECCAK_TREE.inclusion_proof(entries, index)) for index in (0, len(entries) - 1))
    return Made(message, gradient, first_path, last_path)


def disclose(trajectory: Trajectory, boundary: int) -> Disclosure:
    """The committed boundary of this number. Raises UnknownSegment."""
    opening = trajectory.opening(boundary)
    return Disclosure(boundary, trajectory.boundary_entries[boundary], opening.packed, opening.proof)
