"""How commands speak: rich at a terminal, plain lines in a pipe, JSON lines for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from contracts.errors import CommonweightError

console = Console(stderr=False, highlight=False, emoji=False)
if not console.is_terminal:
    console.width = 160  # a pipe has no width; tables must not be cut to a terminal's
errors = Console(stderr=True, highlight=False, emoji=False)


_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
_BIDI = {code: f"\\u{code:04x}" for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""They turn the direction in which a line is read (Unicode's UAX 9): what stands would read as something else."""
_SURROGATES = {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}
_ESCAPED = _CONTROLS | _BIDI | _SURROGATES


def visible(text: str) -> str:
    """Text from a server, a chain or a file, for a terminal: it must not move the cursor, repaint what stands, or turn
    the direction in which it is read."""
    return text.translate(_ESCAPED)


def one_line(text: str, most: int = 100) -> str:
    """Text of strangers within a line of one's own."""
    line = visible(text.replace("\n", "\\n").replace("\t", " "))
    return line if len(line) <= most else f"{line[:most]}…"


def say(text: str) -> None:
    """One line, as it is: names and paths may hold brackets."""
    console.print(visible(text), soft_wrap=True, markup=False)


def complain(refusal: CommonweightError) -> None:
    """A refusal as one line on stderr, its code first."""
    errors.print(Text.assemble((refusal.code, "red"), f": {visible(refusal.detail)}"), soft_wrap=True)


def complain_of_weather(line: str) -> None:
    """What passes by itself, on stderr."""
    errors.print(visible(line), soft_wrap=True, markup=False)


def emit(value: Any) -> None:
    """JSON for scripts."""
    sys.stdout.write(json.dumps(value, sort_keys=True) + "\n")
    sys.stdout.flush()


def tell(found: Any, lines: Iterable[str], as_json: bool) -> None:
    """What was found: as JSON for scripts, else as lines, which are made only then."""
    if as_json:
        emit(found)
        return
    for line in lines:
        say(line)


def report_lines(as_json: bool) -> Any:
    """A progress callback that prints every event, steps only every tenth."""

    def report(progress: Any) -> None:
        fields = {name: value for name, value in asdict(progress).items() if value not in ("", None)}
        if as_json:
            emit(fields)
        elif fields["event"] != "step" or fields["step"] % 10 == 0:
            event = fields.pop("event")
            said = " ".join(f"{name}={_short(value)}" for name, value in fields.items())
            sys.stdout.write(f"{event:<12} {said}\n")
            sys.stdout.flush()

    return report


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    text = visible(str(value))
    return f"{text[:12]}…" if text.startswith("0x") and len(text) > 14 else text
