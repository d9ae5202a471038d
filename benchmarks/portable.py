"""Is the portable profile the same everywhere, what does it cost, and does it train as well as float32?

    python -m benchmarks.portable [--segments N]        time, held-out loss, then the matrix
    python -m benchmarks.portable --only matrix|time|loss [--config small|default]

The matrix runs blocks of segments of 10 steps, each block from weights and data of its own, in a fresh process for
every setting of threads, vector unit and libraries; the small model makes 2,000 affordable. In every process the
attention kernel, micro-batching and the order of samples change from segment to segment. Results are kept in
benchmarks/results/portable.json, and a later call goes on where the last one stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from blake3 import blake3
from numpy.typing import NDArray
from torch.nn.attention import SDPBackend, sdpa_kernel

from contracts.ids import as_address
from contracts.protocol.architecture import theta_layout
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import pack, state_digest, unpack
from trainer import portable
from trainer.data.batches import Batch, batch_source
from trainer.data.corpus import Corpus
from trainer.data.draw import Share
from trainer.data.text import default_corpus, text_corpus
from trainer.model.building import build_model
from trainer.model.state import Tensors, TrainState, initial_theta, inner_of, start_tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.evaluate import held_out_loss
from trainer.steps.inner_step import inner_step
from trainer.steps.outer import merge, zero_momentum
from trainer.steps.trajectory import pseudo_gradient, run_inner

RESULTS = Path(__file__).parent / "results" / "portable.json"
STEPS = 10
CONFIGS = {
    "small": RunConfig(layers=1, d_model=64, heads=4, context=32, batch=4, steps=40, segment=4),
    "default": RunConfig(steps=40, segment=4),
}
BLOCK = {"small": 100, "default": 8}
NODES = tuple(as_address(f"0x{index:02x}" + "00" * 19) for index in range(1, 4))
OLD_LIBRARIES = {
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4",
}
SETTINGS: dict[str, tuple[int, dict[str, str]]] = {
    f"{threads} threads, {vectors}, {libraries}": (threads, environment | other)
    for threads in (1, 2)
    for vectors, environment in {
        "best vectors": {},
        "avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
        "no vectors": {"ATEN_CPU_CAPABILITY": "default"},
    }.items()
    for libraries, other in {"stock libraries": {}, "old libraries": OLD_LIBRARIES}.items()
    if (libraries == "old libraries") <= (vectors == "no vectors")
}
WAYS = tuple(itertools.product((SDPBackend.FLASH_ATTENTION, SDPBackend.MATH), (1, 2), (False, True)))


def end_digests(
    config: RunConfig, theta: Tensors, tokens: NDArray[np.uint8], segments: int, first_way: int
) -> Iterator[str]:
    """Hex digest of the state after each segment from `theta`, the way of computing changing with each."""
    whole = replace(config, steps=segments * STEPS, segment=STEPS)
    source = batch_source(text_corpus(tokens, tokens), whole, config.seed.to_bytes(32, "little"), 1)
    model, state = build_model(config), TrainState.joiner(theta)
    for segment in range(segments):
        kernel, micro_batches, reverse = WAYS[(segment + first_way) % len(WAYS)]
        with sdpa_kernel(kernel):
            for step in range(segment * STEPS, (segment + 1) * STEPS):
                batch = _reversed(source(step)) if reverse else source(step)
                inner_step(config, model, state, batch, micro_batches if config.profile == "portable" else 1)
        yield state_digest(state.to_tensors()).hex()


def matrix_block(
    config: RunConfig, tokens: NDArray[np.uint8], segments: int, settings: Iterable[str] = tuple(SETTINGS)
) -> dict[str, list[str]]:
    """The digests of `segments` segments in each setting, two processes at a time, all from the same weights."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        (Path(folder) / "start").write_bytes(pack(initial_theta(config)))
        np.save(Path(folder) / "tokens.npy", tokens)
        digests = [pool.submit(_in_process, config, folder, name, segments) for name in settings]
        return {name: found.result() for name, found in zip(settings, digests, strict=True)}


def _in_process(config: RunConfig, folder: str, setting: str, segments: int) -> list[str]:
    threads, environment = SETTINGS[setting]
    arguments = [config.to_json(), folder, str(threads), str(segments), str(list(SETTINGS).index(setting))]
    command = [sys.executable, "-m", "benchmarks.portable", "--worker", *arguments]
    done = subprocess.run(command, env=os.environ | environment, check=True, stdout=subprocess.PIPE, text=True)
    found: list[str] = json.loads(done.stdout)
    return found


def differing(found: dict[str, list[str]]) -> int:
    """Segments that did not end in the same state in all settings."""
    return sum(len(set(digests)) > 1 for digests in zip(*found.values(), strict=True))


def measure_matrix(results: dict[str, object], name: str, segments: int) -> None:
    """Blocks until `segments` are done; saved after each."""
    tokens, size = default_corpus().sources[0].shards[0].read(), BLOCK[name]
    blocks: dict[str, int] = results.setdefault(f"differing by block, {name}", {})  # type: ignore[assignment]
    for block in range(-(-segments // size)):
        if str(block) not in blocks:
            config = replace(CONFIGS[name], profile="portable", seed=block + 1)
            blocks[str(block)] = differing(matrix_block(config, tokens, size))
            results[f"matrix, {name}"] = (
                f"{sum(blocks.values())} of {size * len(blocks)} segments of {STEPS} steps differ "
                f"in {len(SETTINGS)} processes x {len(WAYS)} ways"
            )
            _save(results)


def measure_time(results: dict[str, object], steps: int = 60) -> None:
    """Step time in one thread, the two profiles in turns in one process."""
    corpus, exact = default_corpus(), RunConfig(steps=steps, segment=4)
    configure_determinism("portable")
    configure_determinism("exact")  # last, because it sets one thread
    source = batch_source(corpus, exact, bytes(32), 1)
    runs = [
        (c, build_model(c), TrainState.joiner(initial_theta(c))) for c in (exact, replace(exact, profile="portable"))
    ]
    seconds = np.array([[_step_seconds(*run, source(step)) for run in runs] for step in range(steps)])[3:]
    exact_ms, portable_ms = np.median(seconds, axis=0) * 1e3
    results["time"] = {
        "exact ms": round(float(exact_ms), 1),
        "portable ms": round(float(portable_ms), 1),
        "steps": steps - 3,
        "ratio of medians": round(float(portable_ms / exact_ms), 3),
        "ratio of least times": round(float(seconds[:, 1].min() / seconds[:, 0].min()), 3),
    }
    _save(results)


def measure_loss(results: dict[str, object], seeds: tuple[int, ...] = (1, 2, 3)) -> None:
    """Held-out loss after DiLoCo with 2, 3, 3, 3, 3 nodes x 40 steps, both evaluated in float32; saved after each."""
    corpus = default_corpus()
    losses: dict[str, float] = results.setdefault("held-out loss", {})  # type: ignore[assignment]
    for seed, profile in itertools.product(seeds, ("exact", "portable")):
        if (name := f"{profile}, seed {seed}") not in losses:
            losses[name] = _diloco_loss(profile, seed, corpus)
            _save(results)
    ratios = [losses[f"portable, seed {seed}"] / losses[f"exact, seed {seed}"] for seed in seeds]
    results["held-out loss ratios"] = [round(ratio, 5) for ratio in ratios]
    _save(results)


def _diloco_loss(profile: str, seed: int, corpus: Corpus) -> float:
    config = replace(CONFIGS["default"], profile=profile, seed=seed)
    theta = initial_theta(config)
    momentum = zero_momentum(theta)
    inner: dict[str, Tensors] = {}
    for number, present in enumerate((2, 3, 3, 3, 3), start=1):
        gradients = []
        for place, node in enumerate(NODES[:present]):
            source = batch_source(corpus, config, bytes([seed]) * 32, number, Share(place, present))
            start = start_tensors(theta, inner.get(node))
            end = run_inner(config, start, source).end_state
            inner[node] = inner_of(end)
            gradients.append(pseudo_gradient(start, end))
        theta, momentum = merge(theta, momentum, gradients, config.rate("outer_lr"), config.rate("outer_momentum"))
    return round(held_out_loss(replace(config, profile="exact"), theta, corpus.held_out(), 256), 5)


def _step_seconds(config: RunConfig, model: torch.nn.Module, state: TrainState, batch: Batch) -> float:
    before = time.thread_time()
    inner_step(config, model, state, batch)
    return time.thread_time() - before


def _reversed(batch: Batch) -> Batch:
    return Batch(batch.x[::-1].copy(), batch.y[::-1].copy(), batch.rate_share)


def _stored() -> dict[str, object]:
    """Earlier results, unless the portable profile has changed since."""
    results: dict[str, object] = {}
    with contextlib.suppress(FileNotFoundError):
        results = json.loads(RESULTS.read_text())
    code = blake3(b"".join(path.read_bytes() for path in sorted(Path(portable.__path__[0]).glob("*.py")))).hexdigest()
    return results if results.get("code") == code else {"code": code}


def _save(results: dict[str, object]) -> None:
    results["measured"] = time.strftime("%Y-%m-%d", time.gmtime())
    results["machine"] = f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print({name: value for name, value in results.items() if not name.startswith("differing")}, flush=True)


def _worker(text: str, folder: str, threads: str, segments: str, first_way: str) -> None:
    config = RunConfig.from_json(text)
    configure_determinism(config.profile)
    torch.set_num_threads(int(threads))
    theta = unpack((Path(folder) / "start").read_bytes(), theta_layout(config))
    tokens = np.load(Path(folder) / "tokens.npy")
    print(json.dumps(list(end_digests(config, theta, tokens, int(segments), int(first_way)))))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=2000)
    parser.add_argument("--only", choices=("matrix", "time", "loss"))
    parser.add_argument("--config", choices=sorted(CONFIGS), default="small", help="of the matrix")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        _worker(*chosen.worker)
        return
    results = _stored()
    if chosen.only in (None, "time"):
        measure_time(results)
    if chosen.only in (None, "loss"):
        measure_loss(results)
    if chosen.only in (None, "matrix"):
        measure_matrix(results, chosen.config, chosen.segments)


if __name__ == "__main__":
    main()
