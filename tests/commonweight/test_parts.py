"""Who votes, claims or audits needs neither torch nor a database: what each command loads, other parts left out."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from commonweight.terminal.failures import PARTS, PartMissing, as_refusal
from tests.sources import ROOT

pytestmark = pytest.mark.unit

COMMANDS = ROOT / "commonweight" / "commands"
NEED_A_PART = {
    "calibrate": "trains",
    "chain": "runs an EVM",
    "check": "trains a little",
    "corpus": "makes shards",
    "db": "opens the database",
    "eval": "loads weights",
    "demo": "runs every part",
    "fsck": "opens the database",
    "keeper": "opens the database",
    "market": "serves its view",
    "measure": "replays a segment",
    "model": "a run's first weights are made",
    "node": "trains",
    "offer": "computes a segment",
    "outbox": "opens the database",
    "plan": "times steps, where torch is installed",
    "serve": "opens the database",
    "verifier": "trains",
    "verify": "trains",
}
"""Modules of commands for which the base is not enough, and why."""
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import importlib
for name in {modules!r}:
    importlib.import_module(name)
"""


def modules_of(path: Path) -> list[str]:
    """Our own modules that a command imports, also when it runs."""
    found = [node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = ("commonweight", "contracts", "trainer", "verifier", "ledger", "api")
    return sorted({name for name in found if name and name.partition(".")[0] in ours})


def test_commands_of_holders_and_auditors_need_no_part() -> None:
    files = [path for path in sorted(COMMANDS.rglob("*.py")) if path.stem not in NEED_A_PART]
    assert {"wallet", "gov", "audit", "receipt", "fund", "holders", "run", "keys"} <= {path.stem for path in files}
    modules = sorted({name for path in files for name in modules_of(path)} | {"commonweight.cli"})
    script = WITHOUT.format(packages=set(PARTS), modules=modules)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


OF_PART = {
    "server": (
        "api.app",
        "ledger.clock.keeper",
        "ledger.fsck.examine",
        "ledger.storage.schema",
        "commonweight.terminal.serving",
        "commonweight.model.known_model",
        "ledger.public_log.restoring",
    ),
    "node": (
        "trainer.node.node",
        "verifier.service.service",
        "verifier.replay.tasks",
        "verifier.jobs.workers",
        "verifier.proof.replay",
        "verifier.planning.calibration",
        "commonweight.checkup",
        "commonweight.model.terms",
    ),
}
SHARED = {"uvicorn", "starlette", "pydantic_settings"}


@pytest.mark.parametrize("part", OF_PART)
def test_a_part_needs_no_other(part: str) -> None:
    absent = {package for package, of in PARTS.items() if of != part} - SHARED
    script = WITHOUT.format(packages=absent, modules=OF_PART[part])
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["torch", "sqlmodel.sql", "eth.vm", "matplotlib"])
def test_a_part_that_is_not_there_is_named(name: str) -> None:
    refusal = as_refusal(ModuleNotFoundError(f"No module named {name!r}", name=name))
    assert isinstance(refusal, PartMissing)
    assert f"commonweight[{PARTS[name.partition('.')[0]]}]" in refusal.detail
    with pytest.raises(ModuleNotFoundError):
        as_refusal(ModuleNotFoundError("No module named 'ours'", name="ours"))


def test_each_package_is_pinned_in_its_part() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    parts, dists = project["optional-dependencies"], {"eth": "py-evm", "kombu": "celery", "sqlalchemy": "sqlmodel"}
    for package, part in PARTS.items():
        name = dists.get(package, package).replace("_", "-")
        assert any(pin.startswith(f"{name}==") for pin in parts[part]), package
        assert not any(pin.startswith(f"{name}==") for pin in project["dependencies"]), package
