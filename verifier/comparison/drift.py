"""A node's signed residuals over rounds: a residual within the limit can still push one way in every round.

Honest residuals of a pair of machines are rounding noise and point anywhere: n of them add up to about sqrt(n) of one.
Residuals that agree add up to n. The vectors are as large as the model, so a count sketch of them is kept (Charikar,
Chen, Farach-Colton 2002): a signed hash into a few thousand buckets keeps lengths and angles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from contracts.files.whole_file import replace_file

BUCKETS = 4096
LEAST_ROUNDS = 8
SEEN = 1024
"""Segments that are remembered as counted: a job that is run twice comes within a few rounds."""
ALIGNMENT_LIMIT = 2.0
"""Limit of |sum| / sqrt(sum of |each|^2): 1 for noise; n rounds that agree give sqrt(n), so 8 rounds give 2.8."""

Residual = Mapping[str, NDArray[np.float64]]


def sketch(residual: Residual) -> NDArray[np.float64]:
    """BUCKETS sums of the residual's entries, each with a sign; place and sign depend on name and index alone."""
    buckets = np.zeros(BUCKETS)
    for name in sorted(residual):
        flat = residual[name].ravel()
        key = np.frombuffer(blake3(b"commonweight drift" + name.encode()).digest(length=16), dtype="<u8")
        words = np.random.Philox(key=key.astype(np.uint64)).random_raw(flat.size)
        signs = np.where(words & np.uint64(1), 1.0, -1.0)
        places = (words >> np.uint64(32)) % np.uint64(BUCKETS)
        buckets += np.bincount(places.astype(np.int64), weights=flat * signs, minlength=BUCKETS)
    return buckets


@dataclass
class Drift:
    """A verifier's record of one node: the sum of its residuals' sketches and of their squared lengths."""

    rounds: int
    total: NDArray[np.float64]
    squares: float
    seen: tuple[str, ...] = ()

    @classmethod
    def none(cls) -> Drift:
        """Before the first round."""
        return cls(0, np.zeros(BUCKETS), 0.0)

    def add_once(self, segment: str, residual: Residual) -> bool:
        """Add a segment's residual under the segment's name, once; returns whether it was new."""
        if segment in self.seen:
            return False
        self.add(residual)
        self.seen = (*self.seen, segment)[-SEEN:]
        return True

    def add(self, residual: Residual) -> None:
        """Add one segment's residual; each counts as one direction, whatever its length."""
        vector = sketch(residual)
        length = float(np.linalg.norm(vector))
        if length == 0:
            return
        self.rounds = self.rounds + 1
        self.total = self.total + vector / length
        self.squares = self.squares + 1.0

    @property
    def alignment(self) -> float:
        """About 1 for honest noise, sqrt(rounds) for a push in one direction, 0 before the first residual."""
        return float(np.linalg.norm(self.total) / np.sqrt(self.squares)) if self.squares else 0.0

    @property
    def suspicious(self) -> bool:
        """Enough rounds, and too much agreement between them."""
        return self.rounds >= LEAST_ROUNDS and self.alignment > ALIGNMENT_LIMIT

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(asdict(self) | {"total": self.total.tolist()}).encode())

    @classmethod
    def load(cls, path: Path) -> Drift:
        """Read the file that `save` wrote; an empty record where there is none."""
        if not path.exists():
            return cls.none()
        raw = json.loads(path.read_text())
        total = np.asarray(raw["total"], dtype=np.float64)
        return cls(int(raw["rounds"]), total, float(raw["squares"]), tuple(raw.get("seen", ())))
