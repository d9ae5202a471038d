"""The committed bytecode is what these sources compile to, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts import compile as compiler

pytestmark = [pytest.mark.integration, pytest.mark.needs_node("contracts/solidity")]


def test_compiling_again_gives_the_committed_artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = {path.name: json.loads(path.read_text()) for path in compiler.ARTIFACTS.glob("*.json")}
    monkeypatch.setattr(compiler, "ARTIFACTS", tmp_path)
    compiler.build()
    rebuilt = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert set(rebuilt) == set(committed)
    for name, artifact in rebuilt.items():
        assert artifact == committed[name], f"{name} is not of these sources: run `make contracts`"
