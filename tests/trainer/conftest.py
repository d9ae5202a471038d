"""A tiny run that every trainer test can afford, and golden values with a switch to regenerate them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from contracts.ids import as_address
from contracts.protocol.run_config import RunConfig
from tests.trainer.model.own.packages import forgotten
from trainer.data.batches import BatchSource, batch_source
from trainer.data.corpus import Corpus
from trainer.data.text import load_corpus
from trainer.model.state import Tensors, initial_theta, start_tensors

NODE = as_address("0x" + "11" * 20)
SEED = b"\x07" * 32
GOLDEN = Path(__file__).with_name("golden.json")


@pytest.fixture
def config() -> RunConfig:
    return RunConfig(layers=1, d_model=16, heads=2, context=16, steps=8, segment=2, batch=2)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500)))
    return load_corpus([path])


@pytest.fixture
def batches(config: RunConfig, corpus: Corpus) -> BatchSource:
    return batch_source(corpus, config, SEED, 3)


@pytest.fixture
def start(config: RunConfig) -> Tensors:
    return start_tensors(initial_theta(config), None)


@pytest.fixture
def golden() -> Callable[[str, object], None]:
    """Compare with the stored value; `REGENERATE_GOLDEN=1` stores it instead."""

    def check(name: str, value: object) -> None:
        stored = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
        if os.environ.get("REGENERATE_GOLDEN") == "1":
            stored[name] = value
            GOLDEN.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")
        assert stored[name] == value

    return check


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which this process imports, and nothing remembered of packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    forgotten()
    yield tmp_path
    forgotten()


def bits(array: np.ndarray) -> list[int]:
    return array.view(np.uint32).ravel().tolist()
