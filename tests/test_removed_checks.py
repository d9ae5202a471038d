"""A test of the tests: with any one check taken out, the suite fails. `make test` tries a few, `make test-long` all.

A copy of the repository is changed in one place at a time (tests/removed_checks/mutants.py), and the few tests that
must notice run on it. Contracts are compiled once, every mutant under a name of its own.
"""

from __future__ import annotations

import ast
import compileall
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

from tests.removed_checks.mutants import PYTHON, SLICE, SOLIDITY, Mutant

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parent.parent
PACKAGES = ("contracts", "ledger", "api", "trainer", "verifier", "commonweight", "tests")
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-W", "ignore", "-k", "not postgresql")
REGISTRY = ("VerifierRegistry", "EpochRoots", "VerifierSet", "NodeStakes", "PullPayments")
"""The registry and the parts that it is made of."""
LEFT_OUT = shutil.ignore_patterns("node_modules", "__pycache__", ".*")


class Copy:
    """The repository in a folder of its own, with processes that run its tests.

    One of them has the contracts loaded and deployed: it serves as long as contracts/ is as it was.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._output = folder / "copy", folder / "output"
        for package in PACKAGES:
            shutil.copytree(ROOT / package, self.folder / package, ignore=LEFT_OUT)
        shutil.copy(ROOT / "pyproject.toml", self.folder)
        # bytecode that names its source by hash: one changed twice in a second may keep its time and size
        compileall.compile_dir(self.folder, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
        self._environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        self._bare, self._deployed = self._start(), self._start("--deployed")

    def _start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.removed_checks.forked", *options],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the processes."""
        for process in (self._bare, self._deployed):
            process.communicate(timeout=30)

    def run(self, *tests: str, deployed: bool) -> tuple[int, str]:
        """Exit code of pytest on these tests, and what it said; `deployed`: contracts/ is as it was."""
        process = self._deployed if deployed else self._bare
        assert process.stdin is not None
        assert process.stdout is not None
        told = [*OPTIONS, "--basetemp", str(self._output.with_name("basetemp")), *tests]
        process.stdin.write(json.dumps([str(self._output), *told]) + "\n")
        process.stdin.flush()
        code = process.stdout.readline()
        said = self._output.read_text(errors="replace")
        assert code, f"the process ended; the last run said:\n{said}"
        return int(code), said

    @contextmanager
    def changed(self, path: str, body: str) -> Iterator[None]:
        """Other text in one file, for a while."""
        file = self.folder / path
        before = file.read_text()
        file.write_text(body)
        try:
            yield
        finally:
            file.write_text(before)

    def compile(self) -> None:
        """Compile the contracts of the copy, with every mutant beside them."""
        solidity = self.folder / "contracts" / "solidity"
        (solidity / "node_modules").symlink_to(ROOT / "contracts" / "solidity" / "node_modules")
        for place, mutant in enumerate(SOLIDITY.values()):
            family = REGISTRY if Path(mutant.path).stem in REGISTRY else (Path(mutant.path).stem,)
            for contract in family:
                source = (solidity / f"{contract}.sol").read_text()
                body = without(mutant, source) if mutant.path == f"{contract}.sol" else source
                own = re.sub(rf"\b({'|'.join(family)})\b", rf"\g<1>{place}", body)
                assert own != body
                (solidity / f"{contract}{place}.sol").write_text(own)
        done = subprocess.run(
            [sys.executable, "-m", "contracts.compile"],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def without(mutant: Mutant, source: str) -> str:
    """The source with the check removed."""
    assert source.count(mutant.old) == 1, f"{mutant.path} has not exactly one {mutant.old!r}: update the mutant"
    return source.replace(mutant.old, mutant.new)


def leaves_contracts(mutant: Mutant) -> bool:
    """Whether what is loaded of contracts/ is as it was."""
    return not mutant.path.startswith("contracts/")


def check_noticed(copy: Copy, mutant: Mutant, deployed: bool) -> None:
    """A test fails; that nothing could be collected, found or set up does not count."""
    code, said = copy.run(*mutant.tests, deployed=deployed)
    assert code == pytest.ExitCode.TESTS_FAILED, f"pytest ended with {int(code)}:\n{said}"
    assert re.search(r"^FAILED ", said, re.MULTILINE), said
    assert not re.search(r"^ERROR ", said, re.MULTILINE), said


def check_noticed_without(copy: Copy, mutant: Mutant) -> None:
    """As `check_noticed`, in a copy without this check of the Python code."""
    with copy.changed(mutant.path, without(mutant, (copy.folder / mutant.path).read_text())):
        check_noticed(copy, mutant, deployed=leaves_contracts(mutant))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    made = Copy(tmp_path_factory.mktemp("removed"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def compiled(copy: Copy) -> Copy:
    copy.compile()
    return copy


def deployed_as(contract: str) -> str:
    """A part of the registry has no code of its own on the chain."""
    return REGISTRY[0] if contract in REGISTRY else contract


def artifact(folder: Path, contract: str) -> str:
    return (folder / "contracts" / "artifacts" / f"{contract}.json").read_text()


@pytest.mark.parametrize("name", [*PYTHON, *SOLIDITY])
def test_every_removed_check_is_in_the_sources_and_has_its_tests(name: str) -> None:
    """Those that `make test` does not try fit the sources as well."""
    mutant = PYTHON.get(name) or SOLIDITY[name]
    folder = ROOT if name in PYTHON else ROOT / "contracts" / "solidity"
    assert without(mutant, (folder / mutant.path).read_text()) != ""
    for test in mutant.tests:
        file, _, function = test.partition("::")
        tree = ast.parse((ROOT / file).read_text())
        named = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not function or function.partition("[")[0] in named, test


@pytest.mark.parametrize("name", SLICE)
def test_a_check_is_missed_when_it_is_removed_and_not_before(copy: Copy, name: str) -> None:
    code, said = copy.run(*PYTHON[name].tests, deployed=leaves_contracts(PYTHON[name]))
    assert code == pytest.ExitCode.OK, said
    check_noticed_without(copy, PYTHON[name])


@pytest.mark.long
@pytest.mark.parametrize("deployed", [False, True], ids=["bare", "deployed"])
def test_with_every_check_in_place_these_tests_pass(copy: Copy, deployed: bool) -> None:
    """One of each file, which shows that the copy is whole: all of them pass in the suite, from the same bytes."""
    mutants = [mutant for mutant in PYTHON.values() if leaves_contracts(mutant) is deployed]
    tests = [test for mutant in (*mutants, *(() if deployed else SOLIDITY.values())) for test in mutant.tests]
    code, said = copy.run(*{test.split("::")[0]: test for test in sorted(tests)}.values(), deployed=deployed)
    assert code == pytest.ExitCode.OK, said


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in PYTHON if name not in SLICE])
def test_a_removed_check_is_noticed(copy: Copy, name: str) -> None:
    check_noticed_without(copy, PYTHON[name])


@pytest.mark.long
@pytest.mark.needs_node("contracts/solidity")
@pytest.mark.parametrize("name", SOLIDITY)
def test_a_check_removed_from_a_contract_is_noticed(compiled: Copy, name: str) -> None:
    mutant, contract = SOLIDITY[name], deployed_as(Path(SOLIDITY[name].path).stem)
    whole, own = artifact(ROOT, contract), artifact(compiled.folder, f"{contract}{list(SOLIDITY).index(name)}")
    assert json.loads(artifact(compiled.folder, contract))["bytecode"] == json.loads(whole)["bytecode"]
    assert json.loads(own)["bytecode"] != json.loads(whole)["bytecode"]
    with compiled.changed(f"contracts/artifacts/{contract}.json", own):
        check_noticed(compiled, mutant, deployed=False)
