"""One process that computes segments in one variant of the step and says how far each end is from the reference's.

`python -m verifier.planning.calibration_worker` reads one JSON request from standard input and answers a JSON line a
segment. It is a process of its own because an instruction set is chosen when torch is loaded.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contracts.ids import Address
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import unpack
from trainer.data.batches import batch_source
from trainer.data.corpus import corpus_of
from trainer.model.state import layout
from trainer.steps.determinism import configure_determinism
from trainer.steps.profile import BOUNDED
from trainer.steps.variants import Variant, choose, segment_end
from verifier.comparison.bounded import distance, residual
from verifier.comparison.drift import Drift


@dataclass(frozen=True)
class Request:
    """Segments 0..n-1 of a reference trajectory whose boundary states lie in `folder` as <index>.safetensors."""

    config: str
    folder: str
    segments: int
    data_seed: str
    node: Address
    variant: dict[str, Any]
    data: list[str]

    def to_json(self) -> str:
        """For standard input."""
        return json.dumps(asdict(self))


def boundary_file(folder: Path, index: int) -> Path:
    """Where the reference state at a boundary lies."""
    return folder / f"{index}.safetensors"


def main() -> None:
    """Read the request, answer a line per segment, then the profile and how far the residuals agree."""
    request = Request(**json.loads(sys.stdin.read()))
    config = RunConfig.from_json(request.config)
    variant = Variant(**request.variant)
    corpus = corpus_of([Path(p) for p in request.data])
    batches = batch_source(corpus.train, config, bytes.fromhex(request.data_seed), 1, request.node)
    folder = Path(request.folder)
    drift = Drift.none()
    choose(variant)
    profile = configure_determinism(BOUNDED)
    state = unpack(boundary_file(folder, 0).read_bytes(), layout(config))
    for segment in range(request.segments):
        expected = unpack(boundary_file(folder, segment + 1).read_bytes(), layout(config))
        end = segment_end(config, dict(state), segment, batches, variant)
        _say({"segment": segment, "metrics": dict(distance(config, state, end, expected).values)})
        drift.add(residual(state, end, expected))
        state = expected
    _say({"profile": profile.digest().hex(), "described": json.loads(profile.to_json()), "alignment": drift.alignment})


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
