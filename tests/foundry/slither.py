"""Slither over the contracts, against the answers in contracts/slither.md: `make slither`.

Slither has dependencies of its own and lives in a virtual environment of its own; here it is only a command. What it
finds is named by detector and function, since its own ids change with every line that moves.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.foundry.forge import CONTRACTS, ForgeRefused, binary, forge

ANSWERS = CONTRACTS / "slither.md"
SLITHER = CONTRACTS / "foundry" / ".slither" / "bin" / "slither"
ROW = re.compile(r"^\| `(?P<detector>[a-z-]+)` \| (?P<places>[^|]+) \| (?P<answer>[^|]+) \|$", re.MULTILINE)

Finding = tuple[str, str]
"""Detector, and contract and function."""


def answered() -> set[Finding]:
    """Every finding that has an answer."""
    rows = ROW.finditer(ANSWERS.read_text())
    return {(row["detector"], place) for row in rows for place in re.findall(r"`([^`]+)`", row["places"])}


def found() -> dict[Finding, str]:
    """What Slither says, by finding. Raises ForgeRefused where it or the compiler fails."""
    with tempfile.TemporaryDirectory(prefix="slither-") as folder:
        info, report = Path(folder) / "info", Path(folder) / "report.json"
        _build(Path(folder), info)
        arguments = ["--foundry-build-info-directory", str(info), "--json", str(report)]
        # It asks forge for the configuration.
        environment = {**os.environ, "PATH": f"{binary().parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            [str(SLITHER), ".", *arguments], cwd=CONTRACTS, env=environment, capture_output=True, text=True, check=False
        )
        if not report.exists():
            raise ForgeRefused(done.stdout + done.stderr)
        said = json.loads(report.read_text())
    if not said["success"]:
        raise ForgeRefused(str(said["error"]))
    return {_finding(one): one["description"] for one in said["results"].get("detectors", [])}


def _build(folder: Path, info: Path) -> None:
    """Compile the contracts alone, with their syntax trees."""
    sources = [str(path.relative_to(CONTRACTS)) for path in sorted((CONTRACTS / "solidity").glob("*.sol"))]
    where = ["--out", str(folder / "out"), "--cache-path", str(folder / "cache"), "--build-info-path", str(info)]
    done = forge("build", *sources, "--build-info", "--force", *where, dynamic_test_linking="false")
    if done.returncode != 0:
        raise ForgeRefused(done.stdout + done.stderr)


def _finding(one: dict[str, Any]) -> Finding:
    """Where it is: the contract and function of the first thing that Slither names."""
    element = one["elements"][0]
    names: list[str] = [] if element["type"] == "variable" else [element["name"]]
    while "parent" in element.get("type_specific_fields", {}):
        element = element["type_specific_fields"]["parent"]
        names.insert(0, element["name"])
    return one["check"], ".".join(names)


def main() -> None:
    """End with status 1 if a finding has no answer, or an answer has no finding."""
    now, known = found(), answered()
    new, gone = now.keys() - known, known - now.keys()
    for finding in sorted(new):
        print(f"not answered: {finding[0]} in {finding[1]}\n{now[finding]}")
    for finding in sorted(gone):
        print(f"answered, but no longer found: {finding[0]} in {finding[1]}")
    print(f"{len(now)} findings, {len(now.keys() & known)} answered")
    if new or gone:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
