"""A round's boundary states on the disk, where they are too large for memory: a restart opens them without training.

A folder holds the states, the gradient and, once all of them are there, a list of the committed entries. Files that do
not hash to them are work that was never done.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import cast

from contracts.errors import CommonweightError
from contracts.files.whole_file import replace_file, sync_file
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import pack, state_digest, unpack
from trainer.model.layout import theta_layout
from trainer.model.state import Tensors, layout
from trainer.steps.trajectory import Trajectory

IN_MEMORY_BYTES = 2**30
LIST = "round.json"
GRADIENT = "gradient.safetensors"

Key = tuple[str, int]
"""Run and round."""


class Boundaries:
    """Folders of rounds, below one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, key: Key, config: RunConfig) -> Path | None:
        """The folder of a round's states; None where they are small: then they stay in memory."""
        state = sum(4 * math.prod(shape) for _, shape in layout(config).values())
        return None if state * (config.segments + 1) <= IN_MEMORY_BYTES else self._folder / _name(key)

    def keep(self, key: Key, trajectory: Trajectory) -> None:
        """Write a round's list once all its states are on the disk, in its folder.

        Raises DiskFull and OSError.
        """
        folder = self._folder / _name(key)
        if not trajectory.kept or not all(isinstance(state, Path) for state in trajectory.kept):
            return
        for file in trajectory.kept:
            sync_file(cast(Path, file))
        replace_file(folder / GRADIENT, pack(trajectory.pseudo_gradient))
        body = {"entries": [entry.hex() for entry in trajectory.boundary_entries], "tokens": trajectory.tokens}
        replace_file(folder / LIST, json.dumps(body).encode())

    def read(self, key: Key, config: RunConfig, start: Tensors, root: bytes | None) -> Trajectory | None:
        """The round's work from this start, if all of it is on the disk and (with a root) is the committed work."""
        try:
            trajectory = _read(self._folder / _name(key), config)
        except (OSError, ValueError, KeyError, TypeError, CommonweightError):
            return None
        fits = trajectory.boundary_entries[0] == boundary_entry(start) and len(trajectory.kept) == config.segments + 1
        return trajectory if fits and root in (None, trajectory.root) else None

    def forget_but(self, keys: set[Key]) -> None:
        """Remove the folders of all other rounds."""
        names = {_name(key) for key in keys}
        for folder in self._folder.glob("*"):
            if folder.name not in names:
                shutil.rmtree(folder, ignore_errors=True)


def _read(folder: Path, config: RunConfig) -> Trajectory:
    """Raises OSError, and a ValueError, KeyError, TypeError or InvalidTensorFile for spoilt files."""
    body = json.loads((folder / LIST).read_bytes())
    entries = tuple(bytes.fromhex(text) for text in body["entries"])
    files = tuple(folder / f"boundary-{index:04d}.safetensors" for index in range(len(entries)))
    end: Tensors = {}
    for entry, file in zip(entries, files, strict=True):
        end = unpack(file.read_bytes(), layout(config))
        if boundary_entry(end) != entry:
            raise ValueError(f"{file} holds another state")
    gradient = unpack((folder / GRADIENT).read_bytes(), theta_layout(config))
    return Trajectory(
        boundary_entries=entries,
        root=KECCAK_TREE.root(list(entries)),
        kept=files,
        pseudo_gradient=gradient,
        pseudo_gradient_digest=state_digest(gradient),
        end_state=end,
        losses=(),
        tokens=int(body["tokens"]),
    )


def _name(key: Key) -> str:
    return f"{key[0][2:18]}-{key[1]}"
