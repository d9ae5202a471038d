"""The outer step from exactly the gradients of the merge set, by their digests (J15)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import InvalidTensorFile
from contracts.files.blob_files import BlobFiles
from contracts.ids import to_hex
from contracts.process.record import Record
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import pack, state_digest, unpack
from trainer.data.corpus import Corpus
from trainer.model.layout import theta_layout
from trainer.model.state import Tensors
from trainer.steps.evaluate import held_out_loss
from trainer.steps.outer import merge
from verifier.replay.files import BytesMissing, Files, momentum_of, weights_of
from verifier.replay.question import ReplayTask

LOSS_SCALE = 10**9
LARGEST_LOSS = 2**63 - 1


@dataclass(frozen=True)
class Basis(Record):
    """The inputs of a merge: outer state, and gradients (digest, blob) in the order of the merge set. The folder
    `place` gets its files."""

    config: str
    theta: str
    theta_blobs: tuple[str, ...]
    momentum: str
    momentum_blobs: tuple[str, ...]
    gradients: tuple[tuple[str, str], ...]
    place: str = ""


@dataclass(frozen=True)
class Step(Record):
    """The outer step: digests (0x-hex), names of the files that hold it, and the held-out loss in 1e-9 nats."""

    theta: str
    momentum: str
    theta_blob: str
    momentum_blob: str
    loss: int


MERGE = ReplayTask("duty.merge", Basis, Step)


def combine(basis: Basis, files: Files, corpus: Corpus, folder: Path) -> Step:
    """Compute the outer step, and leave weights and momentum under their names in the basis' place below `folder`.

    Raises BytesMissing, and WrongCorpus: the held-out loss is signed too.
    """
    config = RunConfig.from_json(basis.config)
    corpus.require(config.corpus_digest)
    gradients = [_gradient(files, config, digest, blob) for digest, blob in basis.gradients]
    theta = weights_of(files, config, basis.theta, basis.theta_blobs)
    momentum = momentum_of(files, config, basis.momentum, basis.momentum_blobs)
    rates = config.rate("outer_lr"), config.rate("outer_momentum")
    theta, momentum = merge(theta, momentum, gradients, *rates, config.merge)
    loss = _scaled(held_out_loss(config, theta, corpus.held_out()))
    digests = [to_hex(state_digest(part)) for part in (theta, momentum)]
    results = BlobFiles(folder / basis.place)
    results.start()
    return Step(digests[0], digests[1], results.put(pack(theta)), results.put(pack(momentum)), loss)


def _scaled(loss: float) -> int:
    """Loss in 1e-9 nats; the largest number where it is not finite, or too large: a merge is signed with any loss.

    One's own loss may be below zero, which no message can say: it is told as zero.
    """
    return max(0, round(loss * LOSS_SCALE)) if -math.inf < loss < LARGEST_LOSS / LOSS_SCALE else LARGEST_LOSS


def _gradient(files: Files, config: RunConfig, digest: str, blob: str) -> Tensors:
    """A gradient by its digest. Raises BytesMissing for other bytes: a gradient that was held once is fetched again."""
    try:
        tensors = unpack(files.read(blob), theta_layout(config))
    except InvalidTensorFile as error:
        raise BytesMissing([blob]) from error
    if to_hex(state_digest(tensors)) != digest:
        raise BytesMissing([blob])
    return tensors
