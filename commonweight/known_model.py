"""The model of a deployment file or a server, after its genesis was checked: before anything is signed or paid."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import typer
from web3 import Web3

from commonweight.waiting import wait_for
from contracts.chain import connect
from contracts.deployment import Deployment
from contracts.genesis.check import check_genesis
from contracts.genesis.remembered import check_once

HOME_VARIABLE = "COMMONWEIGHT_HOME"


def home() -> Path | None:
    """Where commands remember what they checked; None for a user without a home, as services and containers have."""
    found = Path(os.environ.get(HOME_VARIABLE) or typer.get_app_dir("commonweight"))
    return None if found.parts[0].startswith("~") else found


def known_model(deployment: Path, rpc_url: str) -> tuple[Deployment, Web3]:
    """The model of a file, and its chain. Raises GenesisRefused."""
    w3 = connect(rpc_url)
    return checked(w3, Deployment.from_json(deployment.read_text())), w3


def checked(w3: Web3, deployment: Deployment) -> Deployment:
    """The same deployment, checked at first contact. Raises GenesisRefused."""
    folder = home()
    check_genesis(w3, deployment) if folder is None else check_once(w3, deployment, folder)
    return deployment


def joined(
    deployment: Path, rpc_url: str, folder: Path, stop: threading.Event, give_up_after: float = 0.0
) -> Deployment:
    """The model of a file that a process joins, whose folder remembers the check: restarts need no chain for it.

    A chain node that is away is waited for. Without one of its own (`rpc_url` empty) a process believes the log in this
    as well. Raises GenesisRefused.
    """
    found = Deployment.from_json(deployment.read_text())
    if rpc_url:
        w3 = connect(rpc_url)
        wait_for(f"the chain node {rpc_url}", lambda: check_once(w3, found, folder), stop, give_up_after)
    return found
