"""The portable profile on another machine: are its states those of this one, on its CPU and on its GPU?

    python -m benchmarks.portable_machines pack FOLDER      here: weights, data and the digests that came of them
    python -m benchmarks.portable_machines compare FOLDER   there: the same in every way that machine has
    python -m benchmarks.portable_machines time             step time on the CPU and on the GPU

Weights are whole numbers over 2^12 and the data a file of the folder, so that both machines start from the same bits
without having to agree on a random generator. Every way of computing has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.record import RESULTS, progress, write_result
from contracts.ids import as_address
from contracts.protocol.architecture import theta_layout
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import state_digest
from trainer.data.batches import BatchSource, batch_source
from trainer.data.text import default_corpus, text_corpus
from trainer.model.building import build_model
from trainer.model.device import choose_device
from trainer.model.state import Tensors, TrainState, start_tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step
from trainer.steps.trajectory import replay_segment

NAME = "portable_machines"
STEPS = 10
NODE = as_address("0x" + "11" * 20)
SIZES = {
    "0.1 M": RunConfig(profile="portable", steps=40, segment=STEPS, layers=1, d_model=64, heads=4, context=32, batch=4),
    "0.9 M": RunConfig(profile="portable", steps=40, segment=STEPS),
    "11 M": RunConfig(
        profile="portable", steps=40, segment=STEPS, layers=6, d_model=384, heads=6, context=256, batch=8
    ),
    "86 M": RunConfig(
        profile="portable", steps=40, segment=STEPS, layers=12, d_model=768, heads=12, context=512, batch=8
    ),
}
SEGMENTS = {"0.1 M": 200, "0.9 M": 40, "11 M": 2}
WAYS: dict[str, tuple[str, int, dict[str, str]]] = {
    "CPU, best vectors, 1 thread": ("cpu", 1, {}),
    "CPU, best vectors, 4 threads": ("cpu", 4, {}),
    "CPU, AVX2": ("cpu", 2, {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}),
    "CPU, no vectors": ("cpu", 2, {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}),
    "CUDA": ("cuda", 1, {}),
    "CUDA, another workspace": ("cuda", 1, {"CUBLAS_WORKSPACE_CONFIG": ":16:8"}),
}


def start_of(config: RunConfig) -> Tensors:
    """A joiner's start: weights of GPT-2's scale, whole numbers over 2^12, ones where they only scale."""
    draw = np.random.Philox(key=config.seed)
    theta: Tensors = {}
    for name, (_, shape) in theta_layout(config).items():
        whole = draw.random_raw(int(np.prod(shape))) % 281
        values = (whole.astype(np.float32) - 140) / np.float32(4096)
        theta[name] = np.ones(shape, np.float32) if "norm" in name else values.reshape(shape)
    return start_tensors(theta, None)


def digests(config: RunConfig, tokens: NDArray[np.uint8], segments: int) -> Iterator[str]:
    """Hex digest of the state after each of `segments` segments, one round after another."""
    state = start_of(config)
    for number in range(segments):
        turn, segment = divmod(number, config.segments)
        state = replay_segment(config, state, segment, _batches(config, tokens, turn))
        yield state_digest(state).hex()


def _batches(config: RunConfig, tokens: NDArray[np.uint8], turn: int) -> BatchSource:
    return batch_source(text_corpus(tokens, tokens), config, bytes(32), turn + 1)


def pack(folder: Path) -> None:
    """Leave data and this machine's digests in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = default_corpus().sources[0].shards[0].read()[:1_000_000]
    np.save(folder / "tokens.npy", tokens)
    found = {}
    for name, config in SIZES.items():
        found[name] = list(digests(config, tokens, SEGMENTS.get(name, 0)))
        progress(f"{name}: {len(found[name])} segments")
    (folder / "digests.json").write_text(json.dumps({"machine": machine(), "digests": found}))


def compare(folder: Path) -> dict[str, Any]:
    """Segments of each way that end in another state than on the machine that packed the folder."""
    packed = json.loads((folder / "digests.json").read_text())
    ways = [name for name, way in WAYS.items() if way[0] == "cpu" or torch.cuda.is_available()]
    with ThreadPoolExecutor(len(ways)) as pool:
        found = dict(zip(ways, pool.map(lambda name: _in_process(name, folder), ways), strict=True))
    return {
        "packed on": packed["machine"],
        "compared on": machine(),
        "segments": {size: len(expected) for size, expected in packed["digests"].items()},
        "differing": {name: _differing(packed["digests"], ours) for name, ours in found.items()},
    }


def _differing(expected: dict[str, list[str]], found: dict[str, list[str]]) -> dict[str, int]:
    return {size: sum(map(str.__ne__, expected[size], found[size])) for size in expected}


def _in_process(way: str, folder: Path) -> dict[str, list[str]]:
    device, threads, environment = WAYS[way]
    command = [sys.executable, "-m", "benchmarks.portable_machines", "compute", str(folder), device, str(threads)]
    done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True)
    progress(f"{way}: done")
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def _compute(folder: Path, device: str, threads: int) -> None:
    torch.set_num_threads(threads)
    choose_device(device)
    tokens = np.load(folder / "tokens.npy")
    print(json.dumps({n: list(digests(c, tokens, SEGMENTS.get(n, 0))) for n, c in SIZES.items()}))


def times() -> dict[str, Any]:
    """Median step time of each size, in ms, on the CPU with all cores and on the GPU, in turns."""
    found: dict[str, Any] = {"machine": machine(), "threads": torch.get_num_threads()}
    tokens = np.random.Generator(np.random.PCG64(1)).integers(0, 256, 1_000_000).astype(np.uint8)
    for name, config in SIZES.items():
        cpu, cuda = (_step_ms(config, tokens, device, 5) for device in ("cpu", "cuda"))
        found[name] = {"cpu_ms": round(cpu, 1), "cuda_ms": round(cuda, 1), "ratio": round(cpu / cuda, 1)}
        progress(f"{name}: {found[name]}")
    return found


def _step_ms(config: RunConfig, tokens: NDArray[np.uint8], device: str, steps: int) -> float:
    choose_device(device)
    configure_determinism(config.profile)
    model, state = build_model(config), TrainState.from_tensors(start_of(config), config)
    source, taken = _batches(config, tokens, 0), []
    for step in range(steps + 2):  # the first two load kernels
        began = time.perf_counter()
        inner_step(config, model, state, source(step))  # its gradient norm is read back: the GPU is done but for AdamW
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken[2:])


def machine() -> str:
    """Processor, vector unit, torch and GPU."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    cpu = model[0].partition(": ")[2] if model else platform.machine()
    return f"{cpu}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}, numpy {np.__version__}, {gpu}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pack", "compare", "time", "compute"))
    parser.add_argument("rest", nargs="*")
    asked = parser.parse_args()
    if asked.what == "compute":
        _compute(Path(asked.rest[0]), asked.rest[1], int(asked.rest[2]))
    elif asked.what == "pack":
        pack(Path(asked.rest[0]))
    else:
        kept = json.loads((RESULTS / f"{NAME}.json").read_text()) if (RESULTS / f"{NAME}.json").exists() else {}
        found = compare(Path(asked.rest[0])) if asked.what == "compare" else times()
        write_result(NAME, kept | {asked.what: found})


if __name__ == "__main__":
    main()
