"""Output of commands: rich at a terminal, plain lines in a pipe, with --json one object a line for scripts.

The mode is chosen once a process (`speak_json`), by the option that every command has
(commonweight/terminal/scripts.py).
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from time import monotonic
from typing import Any, Protocol, TextIO, TypeAlias, runtime_checkable

from rich.console import Console, RenderableType
from rich.text import Text

from contracts.errors import CommonweightError

STEP_SECONDS = 60.0
"""Between two lines of steps in a pipe."""
console = Console(stderr=False, highlight=False, emoji=False)
if not console.is_terminal:
    console.width = 160  # a pipe has no width; tables must not be cut to a terminal's
errors = Console(stderr=True, highlight=False, emoji=False)


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
_BIDI = {code: f"\\u{code:04x}" for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""They turn the direction in which a line is read (Unicode's UAX 9): the same text would read otherwise."""
_SURROGATES = {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}
_ESCAPED = _CONTROLS | _BIDI | _SURROGATES


def visible(text: str) -> str:
    """Text from a server, a chain or a file, for a terminal: it must not move the cursor, repaint lines, or turn the
    direction in which it is read."""
    return text.translate(_ESCAPED)


def one_line(text: str, most: int = 100) -> str:
    """Text of strangers within a line of one's own."""
    line = visible(text.replace("\n", "\\n").replace("\t", " "))
    return line if len(line) <= most else f"{line[:most]}…"


LARGEST_EXACT = 2**53 - 1
"""Whole numbers beyond it are text in JSON, as in the API: a reader that takes numbers for doubles would round them."""
_chosen = {"json": False}


def speak_json(chosen: bool) -> None:
    """Choose for all threads of this process."""
    _chosen["json"] = chosen


def speaks_json() -> bool:
    """Whether the output is for scripts: one object a line, on stderr too."""
    return _chosen["json"]


def write_any_text() -> None:
    """From now on escape letters that stdout's encoding lacks, as on stderr: a command that did its work must not fail
    at its report."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """One line, as it is: names and paths may hold brackets. Scripts get an object with its text; `tell` has fields."""
    if speaks_json():
        emit({"text": text})
        return
    console.print(visible(text), soft_wrap=True, markup=False)


@runtime_checkable
class Document(Protocol):
    """An answer of a server (contracts/wire/)."""

    def to_json(self) -> Mapping[str, Any]:
        """The answer as an object."""


Told: TypeAlias = Mapping[str, Any] | Document


def tell(result: Told | Iterable[Told], lines: Iterable[RenderableType]) -> None:
    """Print a result: for scripts the object, or several, each on a line of its own; else lines and tables, which are
    made only then."""
    if speaks_json():
        # an answer of pydantic's is iterable, too: over its fields
        for document in [result] if isinstance(result, (Mapping, Document)) else result:
            emit(document if isinstance(document, Mapping) else document.to_json())
        return
    for line in lines:
        say(line) if isinstance(line, str) else console.print(line)


def emit(value: Mapping[str, Any]) -> None:
    """One object for scripts, on stdout."""
    _write(sys.stdout, value)


def complain(refusal: CommonweightError, more: Mapping[str, Any] | None = None) -> None:
    """A refusal as one line on stderr, its code first; `more` are fields for scripts."""
    if speaks_json():
        _write(sys.stderr, {"error": refusal.code, "detail": refusal.detail, **(more or {})})
        return
    errors.print(Text.assemble((refusal.code, "red"), f": {visible(refusal.detail)}"), soft_wrap=True)


def complain_of_weather(line: str) -> None:
    """A line about weather, on stderr."""
    mention("weather", {"detail": line}, line)


def mention(event: str, fields: Mapping[str, Any], line: str) -> None:
    """News beside the result, on stderr."""
    if speaks_json():
        _write(sys.stderr, {"event": event, **fields})
        return
    errors.print(visible(line), soft_wrap=True, markup=False)


def report_lines() -> Any:
    """A progress callback that prints every event; of steps, people see every tenth on a terminal, and one a minute in
    a pipe, since a log is read later."""
    told = -STEP_SECONDS

    def is_told(event: str, step: int) -> bool:
        nonlocal told
        if event != "step" or console.is_terminal:
            return event != "step" or step % 10 == 0
        if monotonic() - told < STEP_SECONDS:
            return False
        told = monotonic()
        return True

    def report(progress: Any) -> None:
        fields = {name: value for name, value in asdict(progress).items() if value not in ("", None)}
        if speaks_json():
            emit(fields)
        elif is_told(fields["event"], fields.get("step", 0)):
            event = fields.pop("event")
            text = " ".join(f"{name}={_short(value)}" for name, value in fields.items())
            if sys.stdout is not None:
                sys.stdout.write(f"{event:<12} {text}\n")
                sys.stdout.flush()

    return report


def _write(stream: TextIO | None, value: Mapping[str, Any]) -> None:
    if stream is None:  # the process was started with a closed stream
        return
    stream.write(json.dumps(_exact(value), sort_keys=True, allow_nan=False) + "\n")
    stream.flush()


def _exact(value: Any) -> Any:
    """A value that every reader of JSON takes exactly: no whole number is rounded, and NaN is null."""
    if isinstance(value, Mapping):
        return {str(name): _exact(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and abs(value) > LARGEST_EXACT:
        return str(value)
    return value


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return visible(str(value))
