"""Replayed segments per core: the whole path of a verifier's worker against the bare loop of inner steps.

    python -m benchmarks.throughput [--segments N]      writes benchmarks/results/throughput.json

A round of k = 10 and of k = 4 is computed, and its states and its gradient put into a folder, as a mirror has them.
Then `verifier.replay.replaying.judge_segment` (bytes hashed, replay, comparison) and the bare steps of the same segment
take turns in one process and one thread; the ratio of the medians of their CPU times counts. The segment that all
verifiers replay also hashes the states inside it, so it is measured apart, and so is the check of a gradient before
`Has`. Bar: 95 percent at k = 10.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blake3 import blake3

from benchmarks.record import cpu_seconds, progress, write_result
from contracts.ids import as_address, to_hex
from contracts.protocol.run_config import RunConfig
from contracts.tensors.state_layout import theta_digest
from contracts.tensors.tensorfile import pack, state_digest, unpack
from trainer.data.batches import batch_source
from trainer.data.corpus import Corpus
from trainer.data.text import default_corpus
from trainer.model.building import build_model
from trainer.model.state import TrainState, initial_theta, layout, start_tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step
from trainer.steps.settled import settle
from trainer.steps.trajectory import Trajectory, run_inner
from verifier.replay.files import Folder
from verifier.replay.holding import Held, check_gradient
from verifier.replay.replaying import TRUE, Segment, judge_segment

BAR_PERCENT = 95.0
LENGTHS = (10, 4)
SEGMENTS_OF_ROUND = 4
DATA_SEED = b"\x02" * 32
NODE = as_address("0x" + "11" * 20)


@dataclass(frozen=True)
class Desk:
    """An honest round whose bytes lie in a folder."""

    config: RunConfig
    corpus: Corpus
    files: Folder
    done: Trajectory
    blobs: tuple[str, ...]
    gradient: str

    @property
    def theta(self) -> str:
        """Digest of the weights that the round starts from."""
        return to_hex(state_digest(initial_theta(self.config)))

    def segment(self, number: int, common: bool) -> Segment:
        """What a worker is asked."""
        entries = [to_hex(entry) for entry in self.done.boundary_entries]
        return Segment(
            config=self.config.to_json(),
            round=1,
            node=NODE,
            nodes=(NODE,),
            profile=to_hex(configure_determinism(self.config.profile).digest()),
            data_seed=to_hex(DATA_SEED),
            segment=number,
            start=entries[number],
            start_blob=self.blobs[number],
            end=entries[number + 1],
            end_blob=self.blobs[number + 1],
            theta=self.theta,
            theta_blobs=(),
            common=common,
        )

    def held(self) -> Held:
        """What is asked before `Has`."""
        size = len(self.files.read(self.gradient))
        return Held(
            self.config.to_json(),
            self.theta,
            (),
            to_hex(self.done.pseudo_gradient_digest),
            self.gradient,
            size,
            to_hex(theta_digest(self.done.end_state)),
        )


def published_round(config: RunConfig, corpus: Corpus, folder: Path) -> Desk:
    """An honest round of `config`, with every boundary and the gradient in `folder`."""
    config = replace(config, corpus_digest=corpus.digest)
    start = start_tensors(initial_theta(config), None)
    done = settle(start, run_inner(config, start, batch_source(corpus, config, DATA_SEED, 1)))
    blobs = tuple(_keep(folder, done.packed_state(boundary)) for boundary in range(config.segments + 1))
    return Desk(config, corpus, Folder(folder), done, blobs, _keep(folder, pack(done.pseudo_gradient)))


def _keep(folder: Path, data: bytes) -> str:
    name = blake3(data).hexdigest()
    (folder / "held").mkdir(parents=True, exist_ok=True)
    (folder / "held" / name).write_bytes(data)
    return str(name)


def measure(config: RunConfig, segments: int) -> dict[str, Any]:
    """Median milliseconds of both ways, for a segment of one's own and for the common one, and of the gradient."""
    with tempfile.TemporaryDirectory() as folder:
        desk = published_round(config, default_corpus(), Path(folder))
        asked = {"own segment": desk.segment(0, common=False), "common segment": desk.segment(0, common=True)}
        result: dict[str, Any] = {name: _side_by_side(desk, one, segments) for name, one in asked.items()}
        held = desk.held()
        end = statistics.median(cpu_seconds(lambda: check_gradient(held, desk.files)) for _ in range(segments))
    step = result["own segment"]["bare ms"] / config.segment
    return result | {"gradient ms": round(end * 1e3, 3), "gradient in steps": round(end * 1e3 / step, 4)}


def _side_by_side(desk: Desk, asked: Segment, times: int) -> dict[str, float]:
    checked, bare = [], []
    assert judge_segment(asked, desk.files, desk.corpus).word == TRUE
    for _ in range(times):
        bare.append(_bare_loop(desk, asked.segment))
        checked.append(cpu_seconds(lambda: judge_segment(asked, desk.files, desk.corpus)))
    whole, loop = statistics.median(checked), statistics.median(bare)
    return {
        "judge_segment ms": round(whole * 1e3, 3),
        "bare ms": round(loop * 1e3, 3),
        "percent of bare": round(100 * loop / whole, 2),
        "segments per core second": round(1 / whole, 3),
    }


def _bare_loop(desk: Desk, segment: int) -> float:
    """CPU seconds of the steps alone, from state and batches that are at hand."""
    config, source = desk.config, batch_source(desk.corpus, desk.config, DATA_SEED, 1)
    packed = desk.files.read(desk.blobs[segment])
    model, state = build_model(config), TrainState.from_tensors(unpack(packed, layout(config)), config)
    batches = [source(step) for step in range(segment * config.segment, (segment + 1) * config.segment)]

    def loop() -> None:
        for batch in batches:
            inner_step(config, model, state, batch)

    return cpu_seconds(loop)


def main() -> None:
    """Measure each length of segment, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=15, help="segments timed each way")
    segments = parser.parse_args().segments
    found: dict[str, Any] = {}
    for length in LENGTHS:
        config = replace(RunConfig(), steps=SEGMENTS_OF_ROUND * length, segment=length)
        found[f"k = {length}"] = measure(config, segments)
        progress(f"k = {length}: {found[f'k = {length}']}")
    met = found["k = 10"]["own segment"]["percent of bare"] >= BAR_PERCENT
    write_result("throughput", {"bar percent": BAR_PERCENT, "met": met, "segments": segments} | found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
