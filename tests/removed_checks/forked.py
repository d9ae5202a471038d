"""Runs pytest again and again in forks of one process, so that the large packages are loaded only once.

Start it as `python -m tests.removed_checks.forked` in the folder of the code under test. Each line of standard input is
a JSON list, the output file and the arguments of pytest; each answer is a line with the exit code. With `--deployed`
contracts/ is loaded and deployed once, too: for changes anywhere else.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from pathlib import Path

import pytest

LARGE = (
    "torch",
    "numpy",
    "safetensors.numpy",
    "web3",
    "eth_account",
    "eth",
    "eth_tester",
    "fastapi.testclient",
    "sqlmodel",
    "hypothesis",
    "pymerkle",
    "celery",
    "uvicorn",
    "blake3",
)
OURS = ("contracts", "ledger", "api", "trainer", "verifier", "commonweight", "tests")
FOREIGN, CRASHED = 98, 99
"""Exit codes that pytest has not: code of another folder was loaded; pytest itself did not end."""


def main() -> None:
    """Answer until standard input ends."""
    for name in LARGE:
        importlib.import_module(name)
    if sys.argv[1:] == ["--deployed"]:
        _deploy()
    gc.freeze()  # what is loaded by now is no garbage, and forks need not look at it again
    for line in sys.stdin:
        output, *arguments = json.loads(line)
        print(_forked(Path(output), arguments), flush=True)


def _deploy() -> None:
    from contracts.devnet.chain import Devnet
    from tests.chains import StillChain
    from tests.deployed import PARAMS, deployed

    for kind in (Devnet, StillChain):
        deployed(PARAMS, kind)


def _forked(output: Path, arguments: list[str]) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = CRASHED
    try:
        _redirect(output)
        code = int(pytest.main(arguments))
        code = FOREIGN if _foreign() else code
        sys.stdout.flush()
    finally:
        os._exit(code)


def _redirect(output: Path) -> None:
    with output.open("wb") as file, open(os.devnull) as nothing:
        for target in (1, 2):
            os.dup2(file.fileno(), target)
        os.dup2(nothing.fileno(), 0)


def _foreign() -> list[str]:
    """Modules of ours that come from anywhere else than this folder: an installed copy, say."""
    here = Path.cwd()
    found = []
    for name, module in sys.modules.items():
        place = getattr(module, "__file__", None)
        if name.split(".")[0] in OURS and place and here not in Path(place).resolve().parents:
            found.append(name)
            print(f"{name} was loaded from {place}, not from {here}")
    return found


if __name__ == "__main__":
    main()
