"""Bytes of a mirror's folder as a worker reads them: hashed before they are used, and gone where they are spoilt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from contracts.errors import CommonweightError, InvalidTensorFile
from contracts.files.blob_files import BlobFiles
from contracts.ids import to_hex
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import DTYPES, state_digest, unpack
from trainer.genesis.first_weights import first_theta
from trainer.model.layout import theta_layout
from trainer.model.state import Layout, Tensors, layout
from trainer.steps.outer import zero_momentum


class BytesMissing(CommonweightError):
    """Bytes that this verifier does not hold (yet); `names` are those of their blobs."""

    code = "bytes-missing"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"not at hand: {', '.join(name[:16] + '…' for name in names) or 'a blob that nobody named'}")
        self.names = tuple(names)


class Files(Protocol):
    """Bytes by their BLAKE3 name."""

    def read(self, name: str) -> bytes:
        """Raises BytesMissing."""


class Folder:
    """The files of verifier/mirror/store/blobs.py, below its folder."""

    def __init__(self, folder: Path) -> None:
        self._files = BlobFiles(folder / "held")

    def read(self, name: str) -> bytes:
        """Raises BytesMissing, also for bytes that the disk has spoilt: these are removed and fetched again."""
        data = self._files.read(name)
        if data is None:
            raise BytesMissing([name])
        return data


def weights_of(files: Files, config: RunConfig, digest: str, names: Sequence[str]) -> Tensors:
    """The outer weights of a digest (0x-hex): the run's first ones, or one of the files of these names.

    Raises BytesMissing, WeightsUnreachable and WrongWeights.
    """
    first = first_theta(config)
    return first if _is(first, digest) else _named(files, config, digest, names)


def momentum_of(files: Files, config: RunConfig, digest: str, names: Sequence[str]) -> Tensors:
    """The outer momentum of a digest: zero before anything moved. Raises BytesMissing."""
    zero = zero_momentum(_zeros(theta_layout(config)))
    return zero if _is(zero, digest) else _named(files, config, digest, names)


def joiner_inner(config: RunConfig) -> Tensors:
    """The optimizer state of a node that has done no steps, without weights."""
    return {name: value for name, value in _zeros(layout(config)).items() if not name.startswith("theta.")}


def _named(files: Files, config: RunConfig, digest: str, names: Sequence[str]) -> Tensors:
    """The first of the named files that has this digest; others are passed over. Raises BytesMissing."""
    for name in names:
        try:
            tensors = unpack(files.read(name), theta_layout(config))
        except (BytesMissing, InvalidTensorFile):
            continue
        if _is(tensors, digest):
            return tensors
    raise BytesMissing(names)


def _zeros(tensors: Layout) -> Tensors:
    return {name: np.zeros(shape, DTYPES[kind]) for name, (kind, shape) in tensors.items()}


def _is(tensors: Tensors, digest: str) -> bool:
    return to_hex(state_digest(tensors)) == digest
