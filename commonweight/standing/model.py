"""A model as a wallet sees it: a server that is asked, and the wallet's own chain that is believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web3 import Web3

from commonweight.model.known_model import checked
from commonweight.terminal.console import one_line
from contracts.bindings.distributor import EpochDistributor
from contracts.bindings.token import ModelToken
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect
from contracts.chain.deployment import Deployment
from contracts.ids import RunId, as_address
from trainer.client import ApiClient

LONGEST_SYMBOL = 12


@dataclass(frozen=True)
class WalletModel:
    """Contracts on the wallet's own chain node; `client` says what is worth asking the chain about."""

    client: ApiClient
    w3: Web3
    deployment: Deployment

    @classmethod
    def reach(cls, api_url: str, rpc_url: str, deployment: Path | None = None) -> WalletModel:
        """The model of a deployment file, else the one that the server names; its genesis is checked.

        Raises GenesisRefused, ApiProblem and ApiUnreachable.
        """
        client, w3 = ApiClient(api_url), connect(rpc_url)
        named = client.network["deployment"]
        place = Deployment.of_file(deployment) if deployment else Deployment.from_mapping(named)
        return cls(client, w3, checked(w3, place))

    @property
    def token(self) -> ModelToken:
        """What is owned."""
        return ModelToken(self.w3, as_address(self.deployment.token))

    @property
    def registry(self) -> VerifierRegistry:
        """Whose final roots are paid."""
        return VerifierRegistry(self.w3, as_address(self.deployment.verifier_registry))

    @property
    def distributor(self) -> EpochDistributor:
        """Who pays them."""
        return EpochDistributor(self.w3, as_address(self.deployment.distributor))

    def symbol(self) -> str:
        """Name of the token's unit; a stranger may have chosen it."""
        return symbol_of(self.w3, self.deployment)

    def now(self) -> int:
        """The chain's clock, in Unix seconds."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def runs(self) -> list[dict[str, Any]]:
        """All runs, with their nodes and contributions: what the server says, to be told and not to be paid by."""
        return all_runs(self.client, "nodes", "contributions")

    def epochs(self) -> dict[int, dict[str, Any]]:
        """Closed epochs by number, as the server has them."""
        return {int(epoch["epoch"]): epoch for epoch in pages(self.client, "/epochs", "epoch", -1)}


def symbol_of(w3: Web3, deployment: Deployment) -> str:
    """Name of a model's token unit, cut where a stranger made it long."""
    return one_line(ModelToken(w3, as_address(deployment.token)).symbol(), LONGEST_SYMBOL)


LISTS: dict[str, tuple[str, Any]] = {"nodes": ("node", ""), "contributions": ("entry", -1)}
"""Of a run, each with the field by which its pages go on, and where they begin."""


def all_runs(client: ApiClient, *lists: str) -> list[dict[str, Any]]:
    """Documents of all runs, each with these of its lists."""
    return [run_with(client, RunId(str(run["run"])), *lists) for run in pages(client, "/runs", "run", "")]


def run_with(client: ApiClient, run: RunId, *lists: str) -> dict[str, Any]:
    """A run's document, with these of its lists. Raises ApiProblem and ApiUnreachable."""
    found = {name: list(pages(client, f"/runs/{run}/{name}", *LISTS[name])) for name in lists}
    return {**client.get(f"/runs/{run}"), **found}


def pages(client: ApiClient, path: str, key: str, first: Any) -> Iterator[dict[str, Any]]:
    """All of a list that comes in pages, each page after the last line's `key` of the one before."""
    after = first
    while found := client.get(path, after=after):
        yield from found
        if found[-1][key] == after:
            return  # a server that repeats itself ends nobody's patience
        after = found[-1][key]
