"""The memory of portable steps as a card computes them, whole numbers in float32, measured on a CPU.

    python -m benchmarks.step_memory

Each case is a process of its own: resident memory at most during two steps, less what it had before its weights came.
Nothing of a round is in it but the step, as on a card.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.record import progress, write_result
from contracts.protocol.run_config import RunConfig
from contracts.protocol.sizes import fields_of
from trainer.model.building import build_model
from trainer.model.memory import Way, needs
from trainer.model.state import TrainState
from trainer.portable import byte_gemm
from trainer.portable.self_check import drawn_batch, drawn_theta
from trainer.steps.determinism import configure_determinism
from trainer.steps.inner_step import inner_step

CASES: tuple[tuple[str, int, int, int, int], ...] = (
    ("1M", 16, 128, 0, 1),
    ("1M", 16, 128, 2, 1),
    ("1M", 16, 128, 2, 4),
    ("15M", 2, 256, 1, 1),
    ("15M", 8, 256, 1, 8),
)
"""Size, batch, context, micro-batch, and the run's ranks."""
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""A tensor's memory goes back when it is gone, as on a card."""


def config_of(size: str, batch: int, context: int, micro_batch: int, ranks: int) -> RunConfig:
    """A named size, portable."""
    shape = {"batch": batch, "context": context, "micro_batch": micro_batch, "ranks": ranks}
    return RunConfig(**{**fields_of(size), **shape, "profile": "portable"})


def measured(config: RunConfig) -> int:
    """Bytes at most above what this process had before."""
    configure_determinism("portable")
    tiny = replace(config, layers=1, d_model=16, heads=2, kv_heads=0, mlp_width=0, vocab=256, micro_batch=0, ranks=1)
    _step(replace(tiny, batch=2, context=8), 1)
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (proc(5))
    with patch.object(byte_gemm, "integer_units", return_value=False):  # as on a card
        _step(config, 2)
    return _resident("VmHWM") - before


def _step(config: RunConfig, count: int) -> None:
    words = np.random.Philox(key=68)
    state = TrainState.joiner(drawn_theta(words, config))
    model, batch = build_model(config), drawn_batch(words, config)
    for _ in range(count):
        inner_step(config, model, state, batch)


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    """All cases against the formula."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--worker")
    asked = parser.parse_args()
    if asked.worker:
        print(measured(config_of(*json.loads(asked.worker))))
        return
    result: dict[str, Any] = {}
    for case in CASES:
        command = [sys.executable, "-m", "benchmarks.step_memory", "--worker", json.dumps(case)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **_ALLOCATOR})
        found, said = int(done.stdout), needs(config_of(*case), Way(cards=1)).card
        assert said is not None, "a portable step has a card's part"
        result[" ".join(map(str, case))] = {"measured": found, "formula": said, "ratio": round(said / found, 2)}
        progress(f"{case}: {found / 1e6:,.0f} MB, formula {said / 1e6:,.0f} MB, {said / found:.2f}")
    write_result("step_memory", result)


if __name__ == "__main__":
    main()
