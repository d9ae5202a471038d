from __future__ import annotations

from pathlib import Path

import pytest

from contracts.protocol.run_config import RunConfig
from contracts.protocol.sizes import SIZES
from trainer.model import memory
from trainer.model.memory import DoesNotFit, Way, available_bytes, needed_bytes, require_room

pytestmark = pytest.mark.unit
MEASURED = {("15M", 1, 16): 749e6, ("15M", 8, 256): 2041e6, ("150M", 1, 16): 7521e6, ("1M", 16, 128): 210e6}
"""Bytes of an inner round on a CPU, torch 2.13."""
PORTABLE = {
    ("llama", "1M", 16, 128, 0): 263e6,
    ("llama", "1M", 16, 128, 2): 226e6,
    ("gpt", "1M", 16, 128, 0): 267e6,
    ("llama", "15M", 1, 16, 0): 669e6,
    ("llama", "1M", 2, 512, 0): 189e6,
}
"""The same of a portable run, by architecture, size, batch, context and micro-batch."""
_SHAPE = ("layers", "d_model", "heads", "vocab")


@pytest.mark.parametrize(("size", "batch", "context"), MEASURED)
def test_the_formula_lies_above_what_was_measured(size: str, batch: int, context: int) -> None:
    config = RunConfig(**{**SIZES[size], "batch": batch, "micro_batch": 0, "context": context})
    assert 0.98 < needed_bytes(config) / MEASURED[size, batch, context] < 1.26


@pytest.mark.parametrize(("architecture", "size", "batch", "context", "at_once"), PORTABLE)
def test_a_portable_round_takes_more(architecture: str, size: str, batch: int, context: int, at_once: int) -> None:
    shape = {k: v for k, v in SIZES[size].items() if architecture == "llama" or k in _SHAPE}
    asked = {"architecture": architecture, "profile": "portable", "batch": batch, "context": context}
    config = RunConfig(**{**shape, **asked, "micro_batch": at_once})
    assert 0.98 < needed_bytes(config) / PORTABLE[architecture, size, batch, context, at_once] < 1.26


def test_a_run_that_does_not_fit_is_refused_with_the_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4000000 kB\n")
    monkeypatch.setattr(memory, "_MEMORY", tmp_path / "meminfo")
    assert available_bytes() == 4_096_000_000
    require_room(RunConfig(**SIZES["1M"]), Way())
    with pytest.raises(DoesNotFit, match=r"1,100.0 M parameters, .* takes about [\d,.]+ GB of memory, .* 4.1 GB free"):
        require_room(RunConfig(**SIZES["1.1B"]), Way())


@pytest.mark.parametrize("text", [None, "", "MemTotal: 9 kB\n"])
def test_a_system_that_does_not_say_is_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "meminfo").write_text(text)
    monkeypatch.setattr(memory, "_MEMORY", tmp_path / "meminfo")
    require_room(RunConfig(**SIZES["10B"]), Way())


def test_recomputing_takes_less_and_processes_take_more() -> None:
    config = RunConfig(**{**SIZES["150M"], "micro_batch": 2, "ranks": 4})
    whole = needed_bytes(config)
    assert needed_bytes(config, recompute=True) < 0.8 * whole
    two, four = (needed_bytes(config, processes) for processes in (2, 4))
    assert whole < two < four < 4 * whole


def test_one_block_at_once_is_what_passes_the_model() -> None:
    whole = RunConfig(batch=16, context=512)
    assert needed_bytes(whole) > 1.5 * needed_bytes(RunConfig(batch=16, context=512, ranks=4))
