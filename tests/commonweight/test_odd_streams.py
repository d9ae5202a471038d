"""Commands with streams that are closed, that lack letters, or at which nobody can be asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commonweight.keystore import FILE_VARIABLE, PASSPHRASE_VARIABLE
from tests.commonweight.conftest import PASSPHRASE

pytestmark = pytest.mark.unit


def shell(line: str, folder: Path, given: str = "", **around: str) -> subprocess.CompletedProcess[str]:
    """A line for sh in which `$cw` is the command; no terminal is near."""
    clean = {name: value for name, value in os.environ.items() if name not in (PASSPHRASE_VARIABLE, FILE_VARIABLE)}
    return subprocess.run(
        ["sh", "-c", line.replace("$cw", f"{sys.executable} -m commonweight")],
        cwd=folder,
        input=given,
        check=False,
        env=clean | {"PYTHONPATH": os.getcwd()} | around,
        capture_output=True,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("$cw keys address key.json --json >&-", 0),
        ("$cw gov powers --bogus --json 2>&-", 2),
        ("$cw keys address nope --json 2>&-", 1),
    ],
)
def test_a_closed_stream_changes_no_exit_status(keystore: Path, line: str, status: int) -> None:
    said = shell(line.replace("key.json", keystore.name), keystore.parent, COMMONWEIGHT_PASSPHRASE=PASSPHRASE)
    assert (said.returncode, said.stdout, said.stderr) == (status, "", "")


@pytest.mark.parametrize("words", ["address {key}", "new --out new.json"])
def test_a_closed_stdin_is_nobody_to_ask(keystore: Path, words: str) -> None:
    said = shell(f"$cw keys {words.format(key=keystore.name)} --json <&-", keystore.parent)
    assert (said.returncode, json.loads(said.stderr)["error"]) == (1, "keystore-refused")
    assert not (keystore.parent / "new.json").exists()


def test_a_passphrase_from_a_pipe_leaves_the_streams_json(keystore: Path) -> None:
    said = shell(f"$cw keys address {keystore.name} --json", keystore.parent, f"{PASSPHRASE}\n")
    assert (said.returncode, said.stderr, list(json.loads(said.stdout))) == (0, "", ["address"])


@pytest.mark.parametrize("answers", ["\n\n", "one\ntwo\n", "one\n"], ids=["empty", "two", "half"])
def test_no_key_is_made_under_no_passphrase(tmp_path: Path, answers: str) -> None:
    said = shell("$cw keys new --out new.json --json", tmp_path, answers)
    assert (said.returncode, json.loads(said.stderr)["error"]) == (1, "keystore-refused")
    assert list(tmp_path.iterdir()) == []


def test_a_letter_that_stdout_lacks_is_escaped(tmp_path: Path) -> None:
    said = shell("$cw keys new --out 名.json", tmp_path, "x\nx\n", PYTHONIOENCODING="ascii")
    assert (said.returncode, said.stderr) == (0, "")
    assert "\\u540d.json" in said.stdout
