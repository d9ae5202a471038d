"""The command as a user calls it, in this process: arguments in; exit status, stdout and stderr out."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commonweight.cli import main
from commonweight.keystore import PASSPHRASE_VARIABLE, write_keystore
from commonweight.model.known_model import HOME_VARIABLE
from commonweight.terminal import progress
from commonweight.terminal.console import speak_json

PASSPHRASE = "correct horse"


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """What it said to a script, on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def complaint(self) -> dict[str, Any]:
        """Its refusal of a script, the one line on stderr."""
        (line,) = self.err.splitlines()
        return dict(json.loads(line))


Command = Callable[..., Said]


@pytest.fixture
def commonweight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, PASSPHRASE)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    for name in ("FORCE_COLOR", "COMMONWEIGHT_API", "COMMONWEIGHT_RPC"):
        monkeypatch.delenv(name, raising=False)
    # a busy machine takes more than the two seconds after which progress is told
    monkeypatch.setattr(progress, "EVERY_SECONDS", math.inf)

    def call(*arguments: Any) -> Said:
        monkeypatch.setattr(sys, "argv", ["commonweight", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
        except SystemExit as done:
            said = Said(int(done.code or 0), *capsys.readouterr())
        else:
            said = Said(0, *capsys.readouterr())
        if "--json" in sys.argv:
            for line in (*said.out.splitlines(), *said.err.splitlines()):
                assert isinstance(json.loads(line), dict), line
        return said

    return call


@pytest.fixture
def spoken() -> Iterator[None]:
    """Scripts listen."""
    speak_json(True)
    yield
    speak_json(False)


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    """A keystore that opens quickly."""
    path = tmp_path / "key.json"
    write_keystore(path, b"\x11" * 32, PASSPHRASE, iterations=1)
    return path
