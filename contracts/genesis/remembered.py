"""A genesis is checked at first contact, and never again where that is remembered: it cannot change."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from blake3 import blake3
from web3 import Web3

from contracts.chain.connection import load_artifact
from contracts.chain.deployment import Deployment
from contracts.genesis.check import check_genesis

FILE_NAME = "genesis-checked"
RULES = 2
"""The version of the check: a model that an older one let pass is checked again."""


def check_once(w3: Web3, d: Deployment, folder: Path) -> None:
    """Check a genesis unless `folder` remembers this deployment, each field of it, under these rules.

    Only a model that a final block registers is remembered: on another branch the same addresses may be another's. A
    folder that cannot be read or written remembers nothing. Raises GenesisRefused.
    """
    if is_remembered(d, folder):
        return
    check_genesis(w3, d)
    if d.block > w3.eth.get_block("finalized")["number"]:
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / FILE_NAME).open("a") as out:
            out.write(f"{_name(d)}\n")


def is_remembered(d: Deployment, folder: Path) -> bool:
    """Whether `folder` remembers that this deployment was checked. Asks no chain."""
    try:
        return _name(d) in (folder / FILE_NAME).read_text().split()
    except OSError:
        return False


def _name(d: Deployment) -> str:
    rules = f"{RULES} {load_artifact('ModelToken')['sourceHash']} "
    return blake3(rules.encode() + d.to_json().encode()).hexdigest()
