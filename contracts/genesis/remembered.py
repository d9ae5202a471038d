"""A genesis is checked at first contact, and never again where that is remembered: it cannot change."""

from __future__ import annotations

from pathlib import Path

from blake3 import blake3
from web3 import Web3

from contracts.deployment import Deployment
from contracts.genesis.check import check_genesis

FILE_NAME = "genesis-checked"


def check_once(w3: Web3, d: Deployment, folder: Path) -> None:
    """Check a genesis unless `folder` remembers this deployment, each field of it. Raises GenesisRefused."""
    file, name = folder / FILE_NAME, blake3(d.to_json().encode()).hexdigest()
    known = file.read_text().split() if file.exists() else []
    if name in known:
        return
    check_genesis(w3, d)
    folder.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        out.write(f"{name}\n")
