"""What TensorBoard reads of a node, and the losses that a node keeps in its folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from contracts.ids import RunId
from trainer.node import curves
from trainer.node.curves import NoOwnCurve, OwnLoss, OwnLosses, with_curves
from trainer.node.settings import NodeProgress

pytestmark = pytest.mark.unit
RUN, OTHER = (RunId("0x" + two * 32) for two in ("11", "22"))


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


def test_losses_of_a_segment_are_one_row(tmp_path: Path) -> None:
    kept = OwnLosses(tmp_path)
    kept.add(RUN, 2, [4.0, 3.0, 2.0], 2)
    kept.add(RUN, 1, [6.0, 5.0], 2)
    kept.add(OTHER, 1, [1.0], 1)
    assert kept.of(RUN) == [OwnLoss(1, 2, 2, 5.5), OwnLoss(2, 2, 3, 3.5), OwnLoss(2, 3, 3, 2.0)]
    assert [row.place for row in kept.of(RUN)] == [1.0, 1 + 2 / 3, 2.0]


def test_a_round_that_is_done_again_replaces_its_rows(tmp_path: Path) -> None:
    kept = OwnLosses(tmp_path)
    for losses in ([4.0, 3.0], [4.0, 3.0], []):
        kept.add(RUN, 1, losses, 1)
    assert [row.loss for row in kept.of(RUN)] == [4.0, 3.0]


def test_rows_are_bounded_and_the_newest_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "MOST_ROWS", 3)
    kept = OwnLosses(tmp_path)
    for number in (1, 2, 3):
        kept.add(RUN, number, [1.0, 2.0], 1)
    assert [(row.round, row.step) for row in kept.of(RUN)] == [(2, 2), (3, 1), (3, 2)]


def test_spoilt_rows_are_left_out_and_none_is_refused(tmp_path: Path) -> None:
    kept = OwnLosses(tmp_path)
    with pytest.raises(NoOwnCurve, match="of the run 0x1111"):
        kept.of(RUN)
    kept.add(RUN, 1, [4.0], 1)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + b"\xff,1\n2,1,1,nan\n3,2,1,1.0\n4,1,1,1.5\n5,1")
    assert [row.round for row in kept.of(RUN)] == [1, 4]
