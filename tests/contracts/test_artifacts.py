"""The committed artifacts are of the committed sources."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from web3 import Web3

from contracts import compile as compiler
from tests.contracts import currencies
from tests.contracts.bindings.deployed_model import DeployedModel
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


@holds(
    "The artifacts are compiled from the sources beside them",
    by="contracts/compile.py:check",
    against=Threat.UNTESTED_CODE,
)
def test_artifacts_are_of_these_sources() -> None:
    compiler.check()


def test_changed_source_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for source in compiler.SOLIDITY.glob("*.sol"):
        shutil.copy(source, tmp_path)
    monkeypatch.setattr(compiler, "SOLIDITY", tmp_path)
    compiler.check()
    with (tmp_path / "ModelToken.sol").open("a") as file:
        file.write("// one more line\n")
    with pytest.raises(compiler.CompileError, match="stale"):
        compiler.check()


def test_the_currencies_of_the_tests_are_of_their_source() -> None:
    assert json.loads(currencies.COMPILED.read_text())["sourceHash"] == currencies.source_hash(), (
        "run `python -m tests.contracts.currencies`"
    )


@pytest.mark.needs_node("contracts/solidity")
def test_the_currencies_of_the_tests_compile_to_the_committed() -> None:
    committed = json.loads(currencies.COMPILED.read_text())
    assert {**currencies.compiled(), "sourceHash": currencies.source_hash()} == committed


def test_only_a_base_contract_has_no_code_of_its_own() -> None:
    for path in compiler.ARTIFACTS.glob("*.json"):
        base = "\nabstract contract " in (compiler.SOLIDITY / f"{path.stem}.sol").read_text()
        assert (json.loads(path.read_text())["bytecode"] == "0x") is base, path.name


@pytest.mark.parametrize("path", sorted(compiler.SOLIDITY.glob("*.sol")), ids=lambda path: path.stem)
def test_errors_begin_with_the_name_of_their_contract(path: Path) -> None:
    """As OpenZeppelin's do: who reads a refusal knows where to look, and no two contracts have one of the same name."""
    declared = re.findall(r"^ *error (\w+)\(", path.read_text(), re.MULTILINE)
    assert [name for name in declared if not name.startswith(path.stem) or name == path.stem] == []
    abi = json.loads((compiler.ARTIFACTS / f"{path.stem}.json").read_text())["abi"]
    assert set(declared) <= {entry["name"] for entry in abi if entry["type"] == "error"}


def test_contracts_fit_the_size_limit() -> None:
    """EIP-170: 24,576 bytes of code on the chain; EIP-3860: twice as much to make it."""
    for path in compiler.ARTIFACTS.glob("*.json"):
        assert len(json.loads(path.read_text())["bytecode"]) // 2 - 1 <= 49_152, path.name
    model = DeployedModel.fresh()
    for address in model.deployment.contracts():
        assert 0 < len(model.w3.eth.get_code(Web3.to_checksum_address(address))) <= 24_576, address
