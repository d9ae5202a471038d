from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from commonweight.terminal import console
from commonweight.terminal.console import complain, report_lines, say
from contracts.errors import BadField

pytestmark = pytest.mark.unit


@dataclass
class Progress:
    event: str
    round: int | None = None
    step: int | None = None
    loss: float | None = None
    proof: str = ""


def test_lines_for_people_are_plain_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step each five seconds: one a minute is told. Ids are whole, so that they can be pasted."""
    report = report_lines()
    for step in range(1, 21):
        monkeypatch.setattr(console, "monotonic", lambda now=5.0 * step: now)
        report(Progress("step", 2, step, 2.5))
    report(Progress("committed", 2, proof="0x" + "ab" * 32))
    assert capsys.readouterr().out == (
        "step         round=2 step=1 loss=2.5000\n"
        "step         round=2 step=13 loss=2.5000\n"
        f"committed    round=2 proof=0x{'ab' * 32}\n"
    )


def test_what_others_wrote_cannot_repaint_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[2J\x9b1mstate executed\x7f\r"
    say(hostile)
    complain(BadField(hostile))
    report_lines()(Progress("committed", proof=hostile))
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count(r"\x1b[2J\x9b1mstate executed\x7f\x0d") == 3
    assert not set(shown.out + shown.err) & set("\x1b\x9b\x7f\r")


def test_lines_for_scripts_are_json_and_complete(capsys: pytest.CaptureFixture[str], spoken: None) -> None:
    report = report_lines()
    report(Progress("step", 2, 1, 2.5))
    report(Progress("committed", 2, proof="0x" + "ab" * 32))
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == {"event": "step", "round": 2, "step": 1, "loss": 2.5}
    assert second["proof"] == "0x" + "ab" * 32


def test_brackets_and_colons_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = "0x12  in [red]folder[/] :smile: " + "long " * 40
    say(text)
    complain(BadField(text))
    said = capsys.readouterr()
    assert said.out == text + "\n"
    assert said.err == f"bad-field: {text}\n"
