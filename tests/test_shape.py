"""The shape of the house: how large rooms are, and what stands in one place only."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.sources import ROOT, own_sources

pytestmark = pytest.mark.unit
MOST_MODULES, MOST_LINES = 16, 400
LONGEST_NAME = 60
GENERATED = "migrations/versions"
SOURCES = [path for path in own_sources() if GENERATED not in path.as_posix()]


def _of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_folder_has_too_many_modules() -> None:
    rooms = Counter(path.parent for path in SOURCES if path.name != "__init__.py")
    assert len(rooms) > 40
    assert {_of(folder): count for folder, count in rooms.items() if count > MOST_MODULES} == {}


def test_no_module_has_more_than_400_lines() -> None:
    lengths = {_of(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_test_has_a_name_of_more_than_60_characters() -> None:
    """A name states the rule in short; the why is in the docstring."""
    names = [node.name for path in _tests() for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef)]
    tests = [name for name in names if name.startswith("test_")]
    assert len(tests) > 1_000
    assert [name for name in tests if len(name) > LONGEST_NAME] == []


def test_the_formatter_is_obeyed_everywhere() -> None:
    every = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]
    mark = re.compile(r"#\s*fmt:")
    assert [_of(path) for path in every if ".python-client" not in path.parts and mark.search(path.read_text())] == []


def test_every_folder_says_what_it_holds() -> None:
    bare = [_of(path) for path in SOURCES if path.name == "__init__.py" and not ast.get_docstring(_tree(path))]
    assert bare == []


def test_bytes_become_hex_in_one_place() -> None:
    """`"0x" + x.hex()` and its inverse are written once, in contracts/ids.py."""
    found = {_of(path) for path in SOURCES for node in ast.walk(_tree(path)) if _is_codec(node)}
    assert found == {"contracts/ids.py"}


def _tests() -> list[Path]:
    return [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if ".python-client" not in path.parts]


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _is_codec(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant) and node.left.value == "0x":
        return isinstance(node.right, ast.Call) and getattr(node.right.func, "attr", "") == "hex"
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "fromhex":
        (argument, *_) = node.args
        sliced = isinstance(argument, ast.Subscript) and isinstance(argument.slice, ast.Slice)
        return sliced or getattr(getattr(argument, "func", None), "attr", "") == "removeprefix"
    return False
