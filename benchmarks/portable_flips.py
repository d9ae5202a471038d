"""Does any bit of a portable step depend on threads, vector units or integer units? Step by step, over many steps.

    python -m benchmarks.portable_flips [--compared N] [--block M]

Each way of computing is a process of its own. It trains the same models from the same weights on the same text, and
hashes weights and moments after every step. Libraries are told to have no VNNI, no AVX-512 or no vectors at all, so
that one processor stands for several kinds. A step that differs from the first way's is a flip, and so are all steps
after it in its block. A block has weights and text of its own, and M steps of each tiny model; blocks go on until N
steps were compared with those of the first way. Results are kept after each block, and a later call goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from blake3 import blake3
from numpy.typing import NDArray

from benchmarks.portable import OLD_LIBRARIES
from benchmarks.portable_machines import machine, start_of
from benchmarks.record import RESULTS, progress, write_result
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import Batch
from trainer.data.text import default_corpus
from trainer.model.building import build_model
from trainer.model.state import TrainState
from trainer.portable.byte_check import integer_units
from trainer.portable.self_check import PORTABLE_DIGEST
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step

NAME = "portable_flips"
COMPARED, BLOCK = 100_000, 1_000
_TINY = RunConfig(profile="portable", layers=1, d_model=24, heads=2, context=16, batch=4)
_WIDE = RunConfig(
    architecture="llama", profile="portable", layers=1, d_model=96, heads=6, kv_heads=2, context=90, batch=12
)
MODELS: dict[str, tuple[RunConfig, int]] = {
    "gpt": (_TINY, 1),
    "llama": (
        RunConfig(
            architecture="llama", profile="portable", layers=1, d_model=24, heads=2, kv_heads=1, batch=3, context=21
        ),
        1,
    ),
    "llama, wide enough for threads": (_WIDE, 90),
}
"""Each with what the number of steps is divided by."""
_BYTES = 8
"""Of each digest that are compared."""
WAYS: dict[str, tuple[int, dict[str, str]]] = {
    "1 thread, best": (1, {}),
    "2 threads, best": (2, {}),
    "1 thread, no VNNI": (1, {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}),
    "2 threads, AVX2": (
        2,
        {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    ),
    "1 thread, no vectors": (1, {"ATEN_CPU_CAPABILITY": "default"} | OLD_LIBRARIES),
}
_PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that wait without spinning: steps are tiny, and cores may be shared."""


def digests(config: RunConfig, text: NDArray[np.uint8], block: int, steps: int) -> Iterator[bytes]:
    """Of weights and moments after each step of a block."""
    state = TrainState.from_tensors(start_of(replace(config, seed=block)), config)
    model = build_model(config)
    words = np.random.Philox(key=block)
    for _ in range(steps):
        inner_step(config, model, state, _drawn(config, text, words))
        hasher = blake3()
        for group in (state.theta, state.m, state.v):
            for value in group.values():
                hasher.update(value.numpy().tobytes())
        yield hasher.digest(_BYTES)


def _drawn(config: RunConfig, text: NDArray[np.uint8], words: np.random.Philox) -> Batch:
    """Windows of the text that no library of a machine has a part in choosing."""
    places = words.random_raw(config.batch) % np.uint64(len(text) - config.context - 1)
    windows = np.stack([text[int(place) : int(place) + config.context + 1] for place in places]).astype(np.int64)
    return Batch(windows[:, :-1], windows[:, 1:], 1.0)


def compute(folder: Path, threads: int, block: int, steps: int) -> None:
    """A worker: all models, one file of digests."""
    torch.set_num_threads(threads)
    configure_determinism("portable")
    text = np.load(folder / "text.npy")
    with (folder / "digests").open("wb") as file:
        for config, divisor in MODELS.values():
            for digest in digests(config, text, block, max(1, steps // divisor)):
                file.write(digest)
    print(json.dumps(integer_units(torch.device("cpu"))))


def measure(compared: int, steps: int) -> None:
    """Blocks until so many steps are compared; saved after each."""
    found = _stored()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "text.npy", default_corpus().sources[0].shards[0].read()[:1_000_000])
        while found["steps compared"] < compared:
            found["blocks"] += 1
            _add_block(found, folder, steps)
            write_result(NAME, found)


def _stored() -> dict[str, Any]:
    """Earlier blocks, unless the portable profile has changed since."""
    path = RESULTS / f"{NAME}.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if kept.get("profile") == PORTABLE_DIGEST:
        return kept
    zero = dict.fromkeys(WAYS, 0)
    return {"profile": PORTABLE_DIGEST, "blocks": 0, "steps compared": 0, "flips": zero, "on integer units": {}}


def _add_block(found: dict[str, Any], folder: Path, steps: int) -> None:
    first = b""
    for way in WAYS:
        digests, units = _in_process(way, folder, found["blocks"], steps)
        found["on integer units"][way] = units
        if first:
            found["flips"][way] += _differing(first, digests)
            found["steps compared"] += len(digests) // _BYTES
        else:
            first = digests
    found["processor"] = machine()


def _in_process(way: str, folder: Path, block: int, steps: int) -> tuple[bytes, bool]:
    threads, environment = WAYS[way]
    asked = [str(folder), str(threads), str(block), str(steps)]
    command = [sys.executable, "-m", "benchmarks.portable_flips", "--compute", *asked]
    began = time.perf_counter()
    variables = os.environ | _PATIENT | environment
    done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    progress(f"block {block}, {way}: {time.perf_counter() - began:.0f} s, integer units: {done.stdout.strip()}")
    return (folder / "digests").read_bytes(), json.loads(done.stdout)


def _differing(expected: bytes, found: bytes) -> int:
    pairs = zip(*(np.frombuffer(digests, np.uint64) for digests in (expected, found)), strict=True)
    return sum(bool(ours != theirs) for ours, theirs in pairs)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compared", type=int, default=COMPARED, help="steps, with those of the first way")
    parser.add_argument("--block", type=int, default=BLOCK, help="steps of each tiny model in a block")
    parser.add_argument("--compute", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.compute:
        compute(Path(asked.compute[0]), *map(int, asked.compute[1:]))
        return
    measure(asked.compared, asked.block)


if __name__ == "__main__":
    main()
