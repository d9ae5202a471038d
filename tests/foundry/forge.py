"""Forge on the contracts, or on a copy of them in which something was changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.removed_checks.mutants import Mutant

ROOT = Path(__file__).parent.parent.parent
CONTRACTS = ROOT / "contracts"
PACKAGES = CONTRACTS / "foundry" / "node_modules" / "@foundry-rs"
FOLDERS = ("contracts/solidity", "contracts/foundry")
"""Whose node packages forge needs."""
FROM_SCRATCH = ("node_modules", "__pycache__", ".slither")


class ForgeRefused(Exception):
    """Forge ended otherwise than it should have; what it said is in the message."""


def forge(*arguments: str, folder: Path = CONTRACTS, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run forge in a folder with a foundry.toml; settings are FOUNDRY_ variables."""
    chosen = {f"FOUNDRY_{name.upper()}": value for name, value in settings.items()}
    environment = {**os.environ, **chosen, "NO_COLOR": "1"}
    return subprocess.run(
        [str(binary()), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def binary() -> Path:
    """Forge itself: the script that npm puts before it (1.7.1) ends with 0 whatever the binary ends with."""
    (found,) = PACKAGES.glob("forge-*/bin/forge")
    return found


class Sources:
    """A copy of the contracts and their tests, with what was compiled of them so far."""

    def __init__(self, folder: Path) -> None:
        self.contracts = folder / "contracts"
        for part in ("solidity", "foundry"):
            shutil.copytree(CONTRACTS / part, self.contracts / part, ignore=shutil.ignore_patterns(*FROM_SCRATCH))
        shutil.copy(CONTRACTS / "foundry.toml", self.contracts)
        own, packages = CONTRACTS / "solidity" / "node_modules", self.contracts / "solidity" / "node_modules"
        # Forge follows links and then finds a source outside its folder: OpenZeppelin's are copied.
        shutil.copytree(own / "@openzeppelin", packages / "@openzeppelin", ignore=shutil.ignore_patterns("build"))
        (packages / "solc").symlink_to(own / "solc")

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """The copy with the mutant's change, for a while."""
        file = self.contracts.parent / mutant.path
        before = file.read_text()
        file.write_text(seeded(mutant, before))
        try:
            yield
        finally:
            file.write_text(before)

    def check_caught(self, mutant: Mutant) -> str:
        """Raise ForgeRefused unless a test fails with the change, compiled and run; return the first failure."""
        with self.changed(mutant):
            done = forge("test", *filters(mutant), folder=self.contracts, invariant_shrink_run_limit="0")
        failure = re.search(r"^\[FAIL.*", done.stdout, re.MULTILINE)
        if done.returncode == 0 or failure is None:
            raise ForgeRefused(f"{mutant.path}: not caught\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return failure[0]

    def check_whole(self) -> None:
        """Raise ForgeRefused unless every test passes on the copy as it is."""
        done = forge("test", folder=self.contracts)
        if done.returncode != 0:
            raise ForgeRefused(f"without a change\n{done.stdout[-6000:]}{done.stderr[-3000:]}")


def seeded(mutant: Mutant, source: str) -> str:
    """The source with the bug; ForgeRefused where its place is not found exactly once."""
    if source.count(mutant.old) != 1:
        raise ForgeRefused(f"{mutant.path} has not exactly one {mutant.old!r}: update the mutant")
    return source.replace(mutant.old, mutant.new)


def filters(mutant: Mutant) -> list[str]:
    """Options that run the mutant's tests (`FILE::FUNCTION`, all in one file) and no others."""
    (path,) = {test.split("::")[0] for test in mutant.tests}
    names = "|".join(test.split("::")[1] for test in mutant.tests)
    return ["--match-path", path.removeprefix("contracts/"), "--match-test", rf"^({names})\("]
