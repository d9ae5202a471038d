"""A round's boundary states on the disk, where they are too large for memory: a restart opens them without training.

A folder holds the states, the gradient and, once all of them are there, a list of the entries that were committed to.
What does not hash to them is work that was never done.
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
from trainer.model.state import Tensors, layout, theta_layout
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
        """Where a round's states go; None, memory, while they are small."""
        state = sum(4 * math.prod(shape) for _, shape in layout(config).values())
        return None if state * (config.segments + 1) <= IN_MEMORY_BYTES else self._folder / _name(key)

    def keep(self, key: Key, done: Trajectory) -> None:
        """All of a round's states are in its folder, on the disk before the list says so.

        Raises DiskFull and OSError.
        """
        folder = self._folder / _name(key)
        if not done.kept or not all(isinstance(kept, Path) for kept in done.kept):
            return
        for file in done.kept:
            sync_file(cast(Path, file))
        replace_file(folder / GRADIENT, pack(done.pseudo_gradient))
        said = {"entries": [entry.hex() for entry in done.boundary_entries], "tokens": done.tokens}
        replace_file(folder / LIST, json.dumps(said).encode())

    def read(self, key: Key, config: RunConfig, start: Tensors, root: bytes | None) -> Trajectory | None:
        """The work that was done from this start, if all of it is here and (with a root) was committed to."""
        try:
            found = _read(self._folder / _name(key), config)
        except (OSError, ValueError, KeyError, TypeError, CommonweightError):
            return None
        fits = found.boundary_entries[0] == boundary_entry(start) and len(found.kept) == config.segments + 1
        return found if fits and root in (None, found.root) else None

    def forget_but(self, keys: set[Key]) -> None:
        """Remove all other rounds'."""
        wanted = {_name(key) for key in keys}
        for folder in self._folder.glob("*"):
            if folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)


def _read(folder: Path, config: RunConfig) -> Trajectory:
    """Raises OSError, and a ValueError, KeyError, TypeError or InvalidTensorFile for what is spoilt."""
    said = json.loads((folder / LIST).read_bytes())
    entries = tuple(bytes.fromhex(text) for text in said["entries"])
    files = tuple(folder / f"boundary-{place:04d}.safetensors" for place in range(len(entries)))
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
        tokens=int(said["tokens"]),
    )


def _name(key: Key) -> str:
    return f"{key[0][2:18]}-{key[1]}"
