"""Logs of processes on stderr: lines with their time in UTC, or JSON; of libraries nothing below an error."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from enum import StrEnum
from typing import TextIO

from commonweight.terminal.console import speaks_json

PACKAGES = ("api", "commonweight", "contracts", "ledger", "trainer", "verifier")
LEVEL_VARIABLE = "COMMONWEIGHT_LOG_LEVEL"
FORMAT_VARIABLE = "COMMONWEIGHT_LOG_FORMAT"


class Level(StrEnum):
    """The least level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """The format of a line."""

    TEXT = "text"
    JSON = "json"


class JsonLines(logging.Formatter):
    """One object a line: time (Unix seconds), level, part, text, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "part": record.name,
            "text": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, sort_keys=True)


class TextLines(logging.Formatter):
    """Time, level where it is more than a note, and text."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(mark)s%(message)s")

    def formatTime(self, record: logging.LogRecord, _shape: str | None = None) -> str:
        """The time in UTC."""
        return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(record.created))

    def format(self, record: logging.LogRecord) -> str:
        """The line; a newline within it would look like another one."""
        record.mark = "" if record.levelno <= logging.INFO else f"{record.levelname}: "
        return super().format(record)


class OnStderr(logging.StreamHandler[TextIO]):
    """A handler onto the stderr of the moment: threads go on when an earlier stream is closed."""

    def emit(self, record: logging.LogRecord) -> None:
        """The line."""
        self.stream = sys.stderr
        super().emit(record)


def log_to_stderr(level: Level | None = None, shape: LogFormat | None = None) -> None:
    """Log from now on; without arguments as the environment says, else notes as text. Under --json always as JSON."""
    chosen = level or Level(os.environ.get(LEVEL_VARIABLE) or Level.INFO)
    handler = OnStderr()
    line_format = shape or LogFormat(os.environ.get(FORMAT_VARIABLE) or LogFormat.TEXT)
    handler.setFormatter(JsonLines() if speaks_json() or line_format is LogFormat.JSON else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR)
    for name in PACKAGES:
        logging.getLogger(name).setLevel(chosen.upper())


_OF_PYTHON = logging.lastResort


def without_a_log(as_json: bool) -> None:
    """Log records of a command without a log come to stderr: warnings alone, as objects or as plain text."""
    logging.lastResort = _OF_PYTHON
    if as_json:
        logging.lastResort = OnStderr()
        logging.lastResort.setLevel(logging.WARNING)
        logging.lastResort.setFormatter(JsonLines())
