"""A mutant dies of the rule that it lacks, not of a bare name that is gone: that would say nothing of the tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adversary.mutants import MUTANTS
from tests.removed_checks.mutants import PYTHON

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parent.parent
JUDGE = ROOT / "contracts" / "protocol" / "judge"


def changed() -> Iterator[tuple[str, str]]:
    """Every mutant's name, and the text of its module without the check."""
    for name, check in PYTHON.items():
        yield f"removed check: {name}", without(ROOT / check.path, check.old, check.new)
    for name, rule in MUTANTS.items():
        (path,) = JUDGE.rglob(f"{rule.module}.py")
        yield f"adversary: {name}", without(path, rule.old, rule.new)


def without(path: Path, old: str, new: str) -> str:
    text = path.read_text()
    assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}"
    return text.replace(old, new)


def undefined(folder: Path) -> str:
    options = ("check", "--isolated", "--no-cache", "--output-format", "concise", "--select", "F821")
    return subprocess.run([sys.executable, "-m", "ruff", *options, str(folder)], capture_output=True, text=True).stdout


def test_no_mutant_uses_a_name_that_is_gone(tmp_path: Path) -> None:
    names = []
    for number, (name, text) in enumerate(changed()):
        (tmp_path / f"m{number}.py").write_text(text)
        names.append(name)
    assert len(names) > 150
    found = [line for line in undefined(tmp_path).splitlines() if "F821" in line]
    assert [(names[int(Path(line.split(":")[0]).stem[1:])], line.split("F821")[1]) for line in found] == []


def test_a_name_that_is_gone_is_seen(tmp_path: Path) -> None:
    (tmp_path / "m0.py").write_text("def f(known: int) -> int:\n    return existing\n")
    assert "`existing`" in undefined(tmp_path)
