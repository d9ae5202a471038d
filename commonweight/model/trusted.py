"""The trust of a command that takes something home: a deployment from elsewhere, one's own chain node, k verifiers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from commonweight.model.known_model import checked
from commonweight.terminal.console import complain_of_weather
from contracts.chain.connection import connect
from contracts.chain.deployment import Deployment
from contracts.process.outage import Troubles
from trainer.client import ApiClient
from verifier.receipt.cosigned_log import VerifierQuorum


@dataclass(frozen=True)
class Trusted:
    """A server, and by whose word it is checked."""

    client: ApiClient
    deployment: Deployment
    quorum: VerifierQuorum


def trusted(api: str, deployment: Path | None, rpc_url: str | None) -> Trusted:
    """The deployment of the file, else the server's; the verifiers of the chain, else of the server.

    Raises GenesisRefused and ChainOther where a chain is asked and the model is not there, or not sound.
    """
    client = ApiClient(api)
    model = Deployment.of_file(deployment) if deployment else client.deployment
    w3 = connect(rpc_url) if rpc_url else None
    if w3 is not None:
        checked(w3, model)
    return Trusted(client, model, VerifierQuorum.of(client, model, w3))


def told_waiting() -> Callable[[str], None]:
    """Says on the screen what is awaited: at once, when it changes, and once a minute."""
    troubles = Troubles(complain_of_weather)

    def say(shown: str) -> None:
        troubles.failed("waiting for one head under k verifiers' signatures", shown)

    return say
