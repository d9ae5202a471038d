"""The units of deploy/systemd: systemd takes them without a word, and each says what a service of ours must."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from commonweight.cli import app

ROOT = Path(__file__).parent.parent
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
INSTALLED = "/opt/commonweight/bin/commonweight"
COMMANDS = {"server": ("serve",), "keeper": ("keeper",), "node": ("node",), "verifier": ("verifier", "run")}
MUST = {
    "dynamicuser": "yes",
    "protectsystem": "strict",
    "protecthome": "yes",
    "nonewprivileges": "yes",
    "restart": "on-failure",
    "killmode": "mixed",
    "killsignal": "SIGTERM",
    "timeoutstopsec": "60",
    "statedirectorymode": "0700",
    "umask": "0077",
    "environment": "COMMONWEIGHT_PASSPHRASE_FILE=%d/passphrase",
}


def read(unit: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(unit)
    return parser["Service"]


@pytest.mark.unit
def test_each_service_has_a_unit() -> None:
    assert [unit.stem for unit in UNITS] == sorted(f"commonweight-{name}" for name in COMMANDS)


@pytest.mark.unit
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_confined_and_ends_its_command_cleanly(unit: Path) -> None:
    service = read(unit)
    assert {name: service[name] for name in MUST} == MUST
    assert service["user"] == service["statedirectory"], "who shares a folder is one user"


@pytest.mark.unit
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_gives_its_command_all_it_needs_and_no_secret(unit: Path) -> None:
    words, path = shlex.split(read(unit)["execstart"]), COMMANDS[unit.stem.removeprefix("commonweight-")]
    assert words[0] == INSTALLED
    assert tuple(words[1 : 1 + len(path)]) == path
    command = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    options = {option: parameter for parameter in command.params for option in parameter.opts}
    given = [word for word in words if word.startswith("--")]
    assert set(given) <= set(options)
    assert {parameter.name for parameter in command.params if parameter.required} <= {options[o].name for o in given}
    folder = words[words.index("--folder") + 1]
    assert folder == f"%S/{read(unit)['statedirectory']}"
    assert not any("passphrase" in word for word in words)


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("broken", [False, True], ids=["as-it-is", "with-an-unknown-key"])
def test_systemd_takes_the_units_without_a_word(tmp_path: Path, broken: bool) -> None:
    """It answers 0 even for keys that it does not know: only what it says counts."""
    for unit in UNITS:
        text = unit.read_text().replace(INSTALLED, sys.executable)  # which must exist
        (tmp_path / unit.name).write_text(
            text.replace("[Service]\n", "[Service]\nProtectAll=yes\n") if broken else text
        )
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, tmp_path.glob("*.service"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("ProtectAll" in said.stderr) == broken
    assert broken or (said.returncode, said.stderr) == (0, "")
