"""One process that computes segments in one variant of the step and says how far each end is from the reference's.

`python -m verifier.planning.calibration_worker` reads one JSON request from standard input and answers a JSON line a
segment. The worker is a process of its own because an instruction set is chosen when torch is loaded.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from contracts.process.record import Record
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import unpack
from trainer.data.batches import batch_source
from trainer.data.text import corpus_of
from trainer.model.state import layout
from trainer.steps.determinism import bounded_profile
from trainer.steps.variants import Variant, choose, segment_end
from verifier.comparison.bounded import distance, residual
from verifier.comparison.drift import Drift


@dataclass(frozen=True)
class Request(Record):
    """Segments 0..n-1 of a reference trajectory whose boundary states lie in `folder` as <index>.safetensors."""

    config: str
    folder: str
    segments: int
    data_seed: str
    steps: int
    variant: Variant
    data: tuple[str, ...]


@dataclass(frozen=True)
class Measurement(Record):
    """How far one segment's end is from the reference's, by metric."""

    segment: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class Computer(Record):
    """The last line: the numerics profile, its digest, and how far the residuals of all segments agree."""

    profile: str
    described: dict[str, bool | int | str]
    alignment: float


def boundary_file(folder: Path, index: int) -> Path:
    """The file of the reference state at a boundary."""
    return folder / f"{index}.safetensors"


def main() -> None:
    """Read the request, answer a line per segment, then the profile and how far the residuals agree."""
    request = Request.from_json(json.loads(sys.stdin.read()))
    config = RunConfig.from_json(request.config)
    variant = request.variant
    corpus = corpus_of([Path(p) for p in request.data])
    whole = replace(config, steps=request.steps)
    batches = batch_source(corpus, whole, bytes.fromhex(request.data_seed), 1)
    folder = Path(request.folder)
    drift = Drift.none()
    choose(variant)
    profile = bounded_profile(config)
    state = unpack(boundary_file(folder, 0).read_bytes(), layout(config))
    for segment in range(request.segments):
        expected = unpack(boundary_file(folder, segment + 1).read_bytes(), layout(config))
        end = segment_end(config, dict(state), segment, batches, variant)
        _say(Measurement(segment, dict(distance(config, state, end, expected).values)))
        drift.add(residual(state, end, expected))
        state = expected
    _say(Computer(profile.digest().hex(), json.loads(profile.to_json()), drift.alignment))


def _say(line: Record) -> None:
    sys.stdout.write(json.dumps(line.to_json()) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
