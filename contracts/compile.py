"""Compile the Solidity sources into `contracts/artifacts`, or check that the artifacts are of them."""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SOLIDITY = Path(__file__).parent / "solidity"
ARTIFACTS = Path(__file__).parent / "artifacts"
SETTINGS: dict[str, Any] = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 200},
    "metadata": {"bytecodeHash": "none"},
}


class CompileError(Exception):
    """The sources do not compile, or the artifacts are not of these sources."""


def source_hash() -> str:
    """Return the sha256 over every own source, name and content, sorted by name."""
    digest = hashlib.sha256()
    for path in sorted(SOLIDITY.glob("*.sol")):
        body = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.name}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()


def check() -> None:
    """Raise CompileError unless there is one artifact for each source, made of these sources."""
    expected = {path.stem for path in SOLIDITY.glob("*.sol")}
    existing = {path.stem for path in ARTIFACTS.glob("*.json")}
    if expected != existing:
        raise CompileError(f"artifacts {sorted(existing)} do not match sources {sorted(expected)}")
    current = source_hash()
    for name in sorted(expected):
        artifact = json.loads((ARTIFACTS / f"{name}.json").read_text())
        if artifact["sourceHash"] != current or artifact["compiler"]["settings"] != SETTINGS:
            raise CompileError(f"{name}.json is stale: run `make contracts`")


def build() -> None:
    """Compile every source with node's solc (needs `npm ci` in contracts/solidity) and write the artifacts."""
    sources = {path.name: path.read_text() for path in sorted(SOLIDITY.glob("*.sol"))}
    _write(compile_sources(sources, {name: [Path(name).stem] for name in sources}))


def compile_sources(sources: Mapping[str, str], wanted: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Compile sources by file name, which may import from node's modules; returns solc's output for `wanted` contracts.

    Raises CompileError.
    """
    selection = {
        name: {contract: ["abi", "evm.bytecode.object"] for contract in names} for name, names in wanted.items()
    }
    request = {
        "language": "Solidity",
        "sources": {name: {"content": body} for name, body in sources.items()},
        "settings": {**SETTINGS, "outputSelection": selection},
    }
    done = subprocess.run(
        ["node", "compile.js"],
        cwd=SOLIDITY,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CompileError(done.stderr)
    output: dict[str, Any] = json.loads(done.stdout)
    errors = [e["formattedMessage"] for e in output.get("errors", []) if e["severity"] == "error"]
    if errors:
        raise CompileError("\n".join(errors))
    return output


def _write(output: dict[str, Any]) -> None:
    package = json.loads((SOLIDITY / "package.json").read_text())
    compiler = {"solc": package["devDependencies"]["solc"], "settings": SETTINGS}
    digest = source_hash()
    ARTIFACTS.mkdir(exist_ok=True)
    for path in sorted(SOLIDITY.glob("*.sol")):
        contract = output["contracts"][path.name][path.stem]
        artifact = {
            "contractName": path.stem,
            "abi": contract["abi"],
            "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
            "sourceHash": digest,
            "compiler": compiler,
        }
        (ARTIFACTS / f"{path.stem}.json").write_text(json.dumps(artifact, indent=1) + "\n")


def main() -> None:
    """Entry point of `python -m contracts.compile [--check]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only check the artifacts; needs no node")
    try:
        check() if parser.parse_args().check else build()
    except CompileError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
