"""How processes log: as text or JSON, by level, and nothing of libraries."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from commonweight.terminal.logs import PACKAGES, Level, LogFormat, log_to_stderr

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in PACKAGES:
        logging.getLogger(name).setLevel(logging.NOTSET)


def spoken() -> None:
    logging.getLogger("ledger.clock.news").info("round %d opens", 3)
    logging.getLogger("verifier.jobs.queue").warning("two\nlines")
    logging.getLogger("celery.worker").warning("noise")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("api.http.problems").exception("failed")


def test_lines_are_text_with_their_time(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(Level.INFO, LogFormat.TEXT)
    spoken()
    said = capsys.readouterr().err
    assert "Z round 3 opens\n" in said
    assert "Z WARNING: two" in said
    assert "noise" not in said
    assert said.count("ValueError: why") == 1


def test_lines_are_objects_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(Level.WARNING, LogFormat.JSON)
    spoken()
    rows = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(row["part"], row["level"]) for row in rows] == [
        ("verifier.jobs.queue", "warning"),
        ("api.http.problems", "error"),
    ]
    assert "ValueError: why" in rows[1]["traceback"]


def test_the_environment_chooses(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMONWEIGHT_LOG_LEVEL", "error")
    monkeypatch.setenv("COMMONWEIGHT_LOG_FORMAT", "json")
    log_to_stderr()
    spoken()
    assert [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()] == ["error"]
