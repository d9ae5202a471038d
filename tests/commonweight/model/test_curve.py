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
from commonweight.model.curve import HELD_OUT, OWN, RoundLoss, losses_of, svg
from contracts.ids import RunId
from trainer import client as client_module
from trainer.node.curves import LOSSES, OwnLosses

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


def lines_of(picture: str, name: str) -> list[ET.Element]:
    return [line for line in ET.fromstring(picture).iter(f"{NAMES}polyline") if line.attrib["class"] == name]


def points_of(picture: str) -> list[tuple[float, float]]:
    (line,) = lines_of(picture, "signed")
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


def test_a_nodes_own_losses_are_drawn_apart_and_named_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees the picture reads which line somebody signed."""
    monkeypatch.setattr(client_module, "ApiClient", Server)
    kept = OwnLosses(tmp_path / "node" / LOSSES)
    kept.add(RunId(RUN), 1, [5.0, 4.0, 3.5, 3.0], 2)
    out = tmp_path / "loss.svg"
    curve = ["run", "curve", RUN, "--out", str(out), "--node", str(tmp_path / "node")]
    said = CliRunner().invoke(app, [*curve, "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.output)["own_unverified"] == [
        {"round": 1, "step": 2, "of": 4, "loss": 4.5},
        {"round": 1, "step": 4, "of": 4, "loss": 3.25},
    ]
    picture = out.read_text()
    assert {HELD_OUT, OWN} <= set(texts_of(picture))
    (own,) = lines_of(picture, "own")
    half, end = (tuple(map(float, pair.split(","))) for pair in own.attrib["points"].split())
    first, second = points_of(picture)
    assert half[0] < end[0] == first[0] < second[0], "a round's end is where its merge is"
    assert half[1] < end[1] < first[1], "by its losses, on one scale"
    assert "own word, unverified" in CliRunner().invoke(app, curve).output


def test_a_long_curve_is_thinned_and_stays_inside() -> None:
    own = [(number / 50, 9 / (1 + number)) for number in range(1, 20_001)]
    picture = svg("run", [], own)
    (line,) = lines_of(picture, "own")
    points = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
    assert 500 < len(points) <= 1000
    assert all(0 < x < 760 and 0 < y < 380 for x, y in points)
