"""A page's own shell lines, run in this process: what stands in its `sh` blocks is what is called, word for word.

Known are commands of ours, `name=$(command)`, `export`, `until command; do ...; done`, `$name` and `$(command)` outside
single quotes, and lines that go on behind a backslash. A line that ends in `&` is left to the test, which runs such a
process itself. Anything else fails.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from tests.commonweight.conftest import Command

QUOTED = re.compile(r"('[^']*')")
INNER = re.compile(r"\$\((commonweight [^()]*)\)")
NAME = re.compile(r"\$(\w+)")


class ShellLines:
    """`background` is called with each line that ends in `&`."""

    def __init__(self, command: Command, background: Callable[[str], None]) -> None:
        self._command, self._background = command, background
        self.names: dict[str, str] = {}
        self.said: list[tuple[str, str]] = []

    def run(self, block: str) -> None:
        """All lines of a block; each command must succeed."""
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not line.startswith("#"):
                self._line(line.strip())

    def _line(self, line: str) -> None:
        if line.endswith("&"):
            self._background(line.removesuffix("&").strip())
        elif looped := re.fullmatch(r"until (commonweight .*?); do sleep \d+; done", line):
            self._call(looped[1])
        elif given := re.fullmatch(r"(?:export )?(\w+)=(.*)", line):
            (value,) = shlex.split(self._expanded(given[2]))
            self.names[given[1]] = value
        else:
            self._call(line)

    def _call(self, line: str) -> str:
        program, *words = shlex.split(self._expanded(line))
        assert program == "commonweight", f"a page's example calls {program}"
        done = self._command(*words)
        assert done.status == 0, (line, done.err)
        self.said.append((line, done.out))
        return done.out.strip()

    def _expanded(self, text: str) -> str:
        parts = QUOTED.split(text)
        return "".join(part if part.startswith("'") else self._filled(part) for part in parts)

    def _filled(self, text: str) -> str:
        text = INNER.sub(lambda found: self._call(found[1]), text)
        return NAME.sub(lambda found: self.names[found[1]], text)


def blocks_of(page: Path) -> list[str]:
    """The shell blocks of a page, in order."""
    return re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
