"""A state stands in its enum, and nowhere else as bare text.

Words of foreign services are theirs: the adapters of compute providers compare what those answer.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parent.parent
PRODUCT = ("contracts", "ledger", "api", "trainer", "verifier", "commonweight")
FOREIGN = "commonweight/market/providers/"
NAMES = {"state", "stage", "phase"}


def name_of(node: ast.expr) -> str:
    """The last name of `a.b`, `a["b"]`, `a.get("b")` and `b`."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return name
    return ""


def is_bare(node: ast.expr) -> bool:
    """A text, or a bracket of values with one in it."""
    match node:
        case ast.Constant(value=str(text)):
            return bool(text)
        case ast.Tuple(elts=values) | ast.Set(elts=values) | ast.List(elts=values):
            return any(is_bare(value) for value in values)
        case ast.IfExp(body=body, orelse=orelse):
            return is_bare(body) or is_bare(orelse)
    return False


def pairs(tree: ast.AST) -> Iterator[tuple[int, str, ast.expr]]:
    """What is compared with, assigned to or passed as a name: line, name and value."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=[right]):
                yield node.lineno, name_of(left), right
            case ast.Assign(targets=[target], value=value):
                yield node.lineno, name_of(target), value
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant):
                        yield node.lineno, str(key.value), value
            case ast.Call(keywords=keywords):
                for keyword in keywords:
                    yield node.lineno, keyword.arg or "", keyword.value


def bare_states(source: str) -> list[int]:
    """Lines with a state as bare text."""
    return [line for line, name, value in pairs(ast.parse(source)) if name in NAMES and is_bare(value)]


def test_no_state_is_bare_text() -> None:
    files = [file for package in PRODUCT for file in (ROOT / package).rglob("*.py") if "node_modules" not in file.parts]
    assert len(files) > 500
    named = [(file.relative_to(ROOT).as_posix(), file) for file in files]
    found = [
        f"{name}:{line}"
        for name, file in named
        if not name.startswith(FOREIGN)
        for line in bare_states(file.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'if proof.stage == "posted": pass',
        'if row.state not in ("pending", ACTIVE): pass',
        'proof["stage"] = "reading" if audited else "spared"',
        'line = {"state": "open"}',
        'row = Row(state="open")',
        'if bid.get("state") != "open": pass',
    ],
)
def test_bare_text_is_seen(source: str) -> None:
    assert bare_states(source) == [1]


@pytest.mark.parametrize("source", ["if proof.stage is Stage.POSTED: pass", 'state = ""', 'row = Row(name="open")'])
def test_other_text_is_not(source: str) -> None:
    assert bare_states(source) == []
