"""The moving part: bars from a round's public view; drawn at a terminal, absent in a pipe."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from commonweight.demo.live import Bar, DemoBoard, bars
from commonweight.demo.narrator import Narrator
from contracts.protocol.run_config import RunConfig

pytestmark = pytest.mark.unit

NAMES = {"0xa": "ada", "0xb": "ben", "0xc": "cal", "0xd": "dee", "0xe": "eve"}


STEPS = {"ada": 30, "ben": 12, "cal": 8, "dee": 36, "eve": 40}


def node(address: str, lapsed: bool = False) -> Any:
    return SimpleNamespace(node=address, lapsed=lapsed)


def proof(address: str, state: str, stage: str = "reading", reason: str | None = None) -> Any:
    return SimpleNamespace(node=address, state=state, stage=stage, reason=reason)


def view() -> Any:
    return SimpleNamespace(
        config=RunConfig(steps=40).to_json(),
        nodes=[node("0xa"), node("0xb"), node("0xc", lapsed=True), node("0xd"), node("0xe")],
        proofs=[
            proof("0xa", "posted"),
            proof("0xd", "voided", "void", "replay-mismatch"),
            proof("0xe", "pending", "bench"),
        ],
    )


def test_a_bar_shows_a_nodes_progress_and_its_proofs_end() -> None:
    found = {bar.name: (bar.step, bar.steps, bar.note) for bar in bars(view(), NAMES.__getitem__, STEPS.__getitem__)}
    assert found == {
        "ada": (40, 40, "[green]verified"),
        "ben": (12, 40, "trains"),
        "cal": (8, 40, "[yellow]fell silent"),
        "dee": (40, 40, "[red]voided: replay-mismatch"),
        "eve": (40, 40, "before the full bench"),
    }


def screen(terminal: bool) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=100, highlight=False), file


def play(console: Console, wanted: bool = True) -> None:
    narrator = Narrator(console)
    with DemoBoard(console, wanted) as board:
        board.busy("round 2: training")
        board.show([Bar("ada", 20, 40, "trains"), Bar("ben", 3, 40, "trains")])
        narrator.say("round 2", "opens with ada, ben")
        board.show([Bar("ada", 40, 40, "[green]verified"), Bar("dee", 1, 40, "trains")])
        narrator.say("round 2", "goes on")


def test_at_a_terminal_phase_and_nodes_move_below_the_lines() -> None:
    console, file = screen(terminal=True)
    play(console)
    drawn = file.getvalue()
    for text in ("round 2: training", "ada", "20/40", "3/40", "40/40", "verified", "dee", "opens with ada, ben"):
        assert text in drawn
    last_frame = drawn[drawn.rindex("goes on") :]
    assert "ben" not in last_frame
    assert "1/40" in last_frame


def test_in_a_pipe_there_are_the_plain_lines_only() -> None:
    console, file = screen(terminal=False)
    play(console)
    assert [line.split("s  ", 1)[1] for line in file.getvalue().splitlines()] == [
        "round 2    opens with ada, ben",
        "round 2    goes on",
    ]


def test_for_a_script_at_a_terminal_nothing_moves() -> None:
    console, file = screen(terminal=True)
    with DemoBoard(console, wanted=False) as board:
        board.busy("round 1: training")
        board.show([Bar("ada", 1, 40, "trains")])
    Narrator(console, silent=True).say("round 1", "opens")
    assert file.getvalue() == ""


def test_for_a_script_the_story_is_an_object_a_line(capsys: pytest.CaptureFixture[str], spoken: None) -> None:
    console, file = screen(terminal=True)
    Narrator(console).say("round 1", "opens [red]")
    said = json.loads(capsys.readouterr().out)
    assert (said.pop("seconds") >= 0, file.getvalue()) == (True, "")
    assert said == {"event": "story", "topic": "round 1", "detail": "opens [red]"}


def test_a_line_is_said_once_for_each_topic() -> None:
    console, file = screen(terminal=False)
    narrator = Narrator(console)
    for topic in ("round 1", "round 1", "round 2"):
        narrator.once(topic, "merged [loss 2.1]")
    assert file.getvalue().count("merged [loss 2.1]") == 2
