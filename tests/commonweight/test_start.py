"""What a command loads before it does anything: nobody waits for what it does not use."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

HEAVY = (
    "torch",
    "numpy",
    "web3",
    "eth_account",
    "eth_utils",
    "requests",
    "httpx",
    "sqlmodel",
    "sqlalchemy",
    "fastapi",
    "celery",
    "eth",
    "matplotlib",
    "safetensors",
)
LOOK = """
import sys
sys.argv = ["commonweight", *{arguments!r}]
from commonweight.cli import main
try:
    main()
except SystemExit as ended:
    code = ended.code
print(code, *sorted(set(sys.modules) & set({heavy!r})))
"""


def loaded(*arguments: str) -> tuple[str, list[str]]:
    """The exit status, and which heavy packages were loaded."""
    script = LOOK.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    code, *found = done.stdout.splitlines()[-1].split()
    return code, found


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("wallet", "--help"),
        ("node", "--help"),
        ("serve", "--help"),
        ("gov", "vote", "--help"),
        ("verifier", "run", "--help"),
        ("demo", "--help"),
        ("audit-plan", "--help"),
    ],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) == ("0", [])


def test_a_small_command_loads_what_it_uses() -> None:
    assert loaded("keys", "address", "nowhere.json") == ("1", [])


def test_a_shell_completes_commands() -> None:
    asked = {"_COMMONWEIGHT_COMPLETE": "complete_bash", "COMP_WORDS": "commonweight wallet cl", "COMP_CWORD": "2"}
    script = Path(sys.executable).with_name("commonweight")
    done = subprocess.run([script], env={**os.environ, **asked}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["claim"]


def test_the_version_is_that_of_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "commonweight", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"commonweight {version('commonweight')}\n"


def test_a_folder_that_was_deleted_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    script = f"mkdir {gone} && cd {gone} && rmdir {gone} && {sys.executable} -m commonweight check"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    refusal = "system-refused: the current folder was deleted: change to another folder\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", refusal)


def test_ctrl_c_while_it_is_loaded_ends_it_without_a_word() -> None:
    """Before, whoever was quick saw where the imports stood."""
    script = """
import sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "commonweight.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
from commonweight.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
