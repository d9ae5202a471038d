"""Compile the test currency: `python -m contracts.devnet.currency.compiling`, after `make node-packages`.

It lies apart from the contracts, so that their artifacts stay those of their sources alone.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from contracts import compile as compiler

NAME = "TestCurrency"
SOURCE = Path(__file__).parent / f"{NAME}.sol"
ARTIFACT = SOURCE.with_suffix(".json")


def source_hash() -> str:
    """The sha256 of the source."""
    return hashlib.sha256(SOURCE.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def build() -> None:
    """Write abi and bytecode. Raises CompileError."""
    output = compiler.compile_sources({SOURCE.name: SOURCE.read_text()}, {SOURCE.name: [NAME]})
    contract = output["contracts"][SOURCE.name][NAME]
    bytecode = "0x" + contract["evm"]["bytecode"]["object"]
    artifact = {"abi": contract["abi"], "bytecode": bytecode, "sourceHash": source_hash()}
    ARTIFACT.write_text(json.dumps(artifact, indent=1) + "\n")


if __name__ == "__main__":
    build()
