"""What TensorBoard reads of a node."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainer.node import curves
from trainer.node.curves import with_curves
from trainer.node.settings import NodeProgress

pytestmark = pytest.mark.unit


def test_losses_stand_over_the_steps_of_all_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "FLUSH_SECONDS", 0)
    said: list[NodeProgress] = []
    report = with_curves(said.append, tmp_path)
    given = [
        NodeProgress("step", 1, 16, 5.5, steps=16),
        NodeProgress("posted", 1, detail="0xproof"),
        NodeProgress("step", 2, 1, 5.25, steps=17),
    ]
    for progress in given:
        report(progress)
    assert said == given
    assert _read(tmp_path) == [(16, 5.5), (17, 5.25)]


def _read(folder: Path) -> list[tuple[int, float]]:
    """The curve, once it is written whole."""
    end = time.monotonic() + 60
    while True:
        events: Any = EventAccumulator(str(folder))  # type: ignore[no-untyped-call]
        events.Reload()
        scalars = events.Scalars("loss/inner") if "loss/inner" in events.Tags()["scalars"] else []
        if len(scalars) == 2 or time.monotonic() > end:
            return [(one.step, one.value) for one in scalars]
        time.sleep(0.05)
