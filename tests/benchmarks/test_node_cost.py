"""Every part is measured, and the percentage is that of a whole round."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import record
from benchmarks.node_cost import measure, percent
from contracts.protocol.run_config import RunConfig

pytestmark = pytest.mark.unit

TINY = RunConfig(layers=1, d_model=16, heads=2, context=16, batch=4, segment=10, steps=40)


def test_every_part_of_recording_is_measured() -> None:
    found = measure(TINY, 2)
    assert found["parameters"] == 256 * 16 + 16 * 16 + 12 * 16 * 16 + 3 * 16
    parts = ("step", "copy of the state", "BLAKE3", "pack", "record in memory", "record in a folder", "finish")
    assert all(found["milliseconds"][part] > 0 for part in parts)


def test_a_round_records_its_start_each_segments_end_and_its_end() -> None:
    times = {"step": 1.0, "copy of the state": 0.1, "record in memory": 0.3, "finish": 2.0}
    assert percent(TINY, times, "record in memory") == pytest.approx(100 * (5 * 0.3 + 4 * 0.1 + 2.0) / 40)


def test_a_result_says_how_to_repeat_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", SimpleNamespace(name="benchmarks.kills"))
    monkeypatch.setattr(sys, "argv", ["kills.py", "--seed", "7"])
    record.write_result("kills_naive", {"figure": 1})
    written = json.loads((tmp_path / "results" / "kills_naive.json").read_text())
    assert (written["figure"], written["command"]) == (1, "python -m benchmarks.kills --seed 7")
    assert set(written) == {"figure", "command", "date", "machine"}
