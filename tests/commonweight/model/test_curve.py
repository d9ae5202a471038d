"""The curve of a run: signed losses in, a picture out."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from commonweight.cli import app
from commonweight.model.curve import RoundLoss, losses_of, svg
from trainer import client as client_module

pytestmark = pytest.mark.unit
RUN = "0x" + "11" * 32
NAMES = "{http://www.w3.org/2000/svg}"


class Server:
    """Three rounds, of which the last one is not merged; one verifier of the second one measures on its own."""

    merges = (({"a": 3_000_000_000},), ({"a": 2_500_000_000, "b": 2_500_000_000, "c": 2_900_000_000},), ())

    def __init__(self, _api: str = "") -> None: ...

    def read(self, _kind: Any, path: str) -> Any:
        if path == f"/runs/{RUN}":
            return SimpleNamespace(round=3)
        losses = self.merges[int(path.rpartition("/")[2]) - 1]
        return SimpleNamespace(merge=SimpleNamespace(held_out_loss=losses[0]) if losses else None)


FOUND = [RoundLoss(1, 3.0, 3.0, 3.0), RoundLoss(2, 2.5, 2.5, 2.9)]


def points_of(picture: str) -> list[tuple[float, float]]:
    (line,) = ET.fromstring(picture).iter(f"{NAMES}polyline")
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())]


def texts_of(picture: str) -> list[str]:
    return [str(text.text) for text in ET.fromstring(picture).iter(f"{NAMES}text")]


def test_a_merged_round_has_the_median_of_what_was_signed() -> None:
    assert list(losses_of(Server(), RUN)) == FOUND  # type: ignore[arg-type]


def test_the_command_writes_the_picture_and_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ApiClient", Server)
    out = tmp_path / "loss.svg"
    said = CliRunner().invoke(app, ["run", "curve", RUN, "--out", str(out), "--json"])
    assert said.exit_code == 0, said.output
    assert [RoundLoss(**row) for row in json.loads(said.output)["rounds"]] == FOUND
    assert {"3.0000", "2.5000", "round", "held-out loss, nats per token"} <= set(texts_of(out.read_text()))
    (first, second) = points_of(out.read_text())
    assert first[0] < second[0]
    assert first[1] < second[1], "a lower loss lies lower"


@pytest.mark.parametrize("count", [1, 7, 500])
def test_everything_lies_inside_the_picture(count: int) -> None:
    points = [RoundLoss(n, 2 + 1 / n, 2 + 1 / n, 2.01 + 1 / n) for n in range(1, count + 1)]
    picture = svg("a <run> & more", points)
    assert "a <run> & more" in texts_of(picture)
    assert len(points_of(picture)) == count
    assert all(0 < x < 760 and 0 < y < 380 for x, y in points_of(picture))
    assert str(count) in texts_of(picture)
    assert len(texts_of(picture)) < 32


def test_a_run_without_a_merge_says_so() -> None:
    assert "no round is merged yet" in texts_of(svg("run", []))


def test_equal_losses_have_a_scale() -> None:
    (one, other) = points_of(svg("run", [RoundLoss(n, 2.0, 2.0, 2.0) for n in (1, 2)]))
    assert one[1] == other[1]
