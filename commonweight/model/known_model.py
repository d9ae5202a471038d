"""The model of a deployment file or a server, after its genesis was checked: before anything is signed or paid."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import typer
from requests.exceptions import RequestException
from web3 import Web3

from commonweight.terminal.waiting import wait_for
from contracts.chain.connection import connect
from contracts.chain.deployment import Deployment
from contracts.chain.presence import require_present
from contracts.evm.errors import NoFinalBlock
from contracts.genesis.check import check_genesis
from contracts.genesis.remembered import check_once
from contracts.ids import RunId
from contracts.process.own_folder import Owner, take_folder

logger = logging.getLogger(__name__)
HOME_VARIABLE = "COMMONWEIGHT_HOME"


def home() -> Path | None:
    """The folder in which commands remember checked models; None for a user without a home, as in services and
    containers."""
    path = Path(os.environ.get(HOME_VARIABLE) or typer.get_app_dir("commonweight"))
    return None if path.parts[0].startswith("~") else path


def known_model(deployment: Path, rpc_url: str) -> tuple[Deployment, Web3]:
    """The model of a file, and its chain. Raises ChainOther, ChainWithoutContract and GenesisRefused."""
    w3 = connect(rpc_url)
    return checked(w3, Deployment.of_file(deployment)), w3


def checked(w3: Web3, deployment: Deployment) -> Deployment:
    """The same deployment: its contracts are there, and its genesis was checked at first contact.

    Raises ChainOther, ChainWithoutContract and GenesisRefused.
    """
    require_present(w3, deployment)
    folder = home()
    check_genesis(w3, deployment) if folder is None else check_once(w3, deployment, folder)
    return deployment


def joined(
    deployment: Path,
    w3: Web3 | None,
    folder: Path,
    owner: tuple[str, str, str],
    stop: threading.Event,
    give_up_after: float = 0.0,
) -> Deployment:
    """As `entered`, by a process whose folder remembers that genesis was checked: restarts need no chain for it.

    A chain node that is away is waited for. A process without one (`w3` is None) believes the log in this as well.
    Raises GenesisRefused and the errors of `entered`.
    """
    model = entered(deployment, w3, folder, owner)
    if w3 is not None:
        name = getattr(w3.provider, "endpoint_uri", "")
        wait_for(f"the chain node {name}", lambda: check_once(w3, model, folder), stop, give_up_after)
    return model


def entered(deployment: Path, w3: Web3 | None, folder: Path, owner: tuple[str, str, str]) -> Deployment:
    """The model of a file; from here on the folder is that of `owner`: part, address and run
    (contracts/process/own_folder.py).

    Raises FolderForeign, FolderInUse, FolderUnwritable, ChainOther and ChainWithoutContract.
    """
    model = Deployment.of_file(deployment)
    take_folder(folder, Owner.of(owner[0], owner[1], model, RunId(owner[2])))
    if w3 is not None:
        _require_present_now(w3, model)
    return model


def _require_present_now(w3: Web3, deployment: Deployment) -> None:
    """A chain that does not answer is weather: a process that was here before starts, and waits for it. So is a node
    without a final block, as after its start."""
    try:
        require_present(w3, deployment)
        w3.eth.get_block("finalized")
    except NoFinalBlock as error:
        logger.warning("%s", error.detail)
    except RequestException:
        return
