"""Nodes and workers of verifiers are processes that start often: they load what they compute with, and no more."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

PROGRAM = """
import sys
from contracts.protocol.run_config import RunConfig
from trainer.data.batches import batch_source
from trainer.data.text import text_corpus
from trainer.model.state import initial_theta, start_tensors
from trainer.steps.trajectory import run_inner
import numpy as np

text = np.arange(5000, dtype=np.uint8)
config = RunConfig(layers=1, d_model=16, heads=2, context=16, steps=4, segment=2, batch=2, profile=sys.argv[1])
batches = batch_source(text_corpus(text, text), config, bytes(32), 1)
run_inner(config, start_tensors(initial_theta(config), None), batches)
print(sorted(name for name in ("torch._dynamo", "torch._inductor", "sqlalchemy") if name in sys.modules))
"""


@pytest.mark.parametrize("profile", ["exact", "portable"])
def test_a_round_loads_neither_torchs_compiler_nor_a_database(profile: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, profile], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
