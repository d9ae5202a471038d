"""A model for a wallet: a server that is asked, and the wallet's own chain that is believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from web3 import Web3

from commonweight.model.known_model import checked
from commonweight.terminal.console import one_line
from contracts.bindings.distributor import EpochDistributor
from contracts.bindings.token import ModelToken
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect
from contracts.chain.deployment import Deployment
from contracts.wire.epochs import Epoch
from contracts.wire.runs import Credit, NodeLine, Run, RunLine
from trainer.client import ApiClient

LONGEST_SYMBOL = 12
Line = TypeVar("Line")


@dataclass(frozen=True)
class WalletModel:
    """Contracts on the wallet's own chain node; `client` names the epochs and runs to ask the chain about."""

    client: ApiClient
    w3: Web3
    deployment: Deployment

    @classmethod
    def reach(cls, api_url: str, rpc_url: str, deployment: Path | None = None) -> WalletModel:
        """The model of a deployment file, else the one that the server names; its genesis is checked.

        Raises GenesisRefused, ApiProblem and ApiUnreachable.
        """
        client = ApiClient(api_url)
        w3 = connect(rpc_url)
        deployed = Deployment.of_file(deployment) if deployment else client.deployment
        return cls(client, w3, checked(w3, deployed))

    @property
    def token(self) -> ModelToken:
        """The token of ownership."""
        return ModelToken(self.w3, self.deployment.token)

    @property
    def registry(self) -> VerifierRegistry:
        """The registry, whose final roots are paid."""
        return VerifierRegistry(self.w3, self.deployment.verifier_registry)

    @property
    def distributor(self) -> EpochDistributor:
        """The contract that pays the roots."""
        return EpochDistributor(self.w3, self.deployment.distributor)

    def symbol(self) -> str:
        """Name of the token's unit; a stranger may have chosen it."""
        return symbol_of(self.w3, self.deployment)

    def now(self) -> int:
        """The chain's clock, in Unix seconds."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def runs(self) -> list[SeenRun]:
        """All runs, with their nodes and contributions, by the server's word: for sentences, not for pay."""
        return all_runs(self.client, nodes=True)

    def epochs(self) -> dict[int, Epoch]:
        """Closed epochs by number, as the server has them."""
        return {epoch.epoch: epoch for epoch in pages(self.client, Epoch, "/epochs", "epoch", -1)}


def symbol_of(w3: Web3, deployment: Deployment) -> str:
    """Name of a model's token unit, cut where a stranger made it long."""
    return one_line(ModelToken(w3, deployment.token).symbol(), LONGEST_SYMBOL)


@dataclass(frozen=True)
class SeenRun:
    """A run with its lists, by the server's word; `nodes` stays empty where it was not asked for."""

    shown: Run
    nodes: tuple[NodeLine, ...]
    contributions: tuple[Credit, ...]


def all_runs(client: ApiClient, *, nodes: bool = False) -> list[SeenRun]:
    """All runs with their credited contributions, and with their nodes where those are wanted."""
    return [run_with(client, line.run, nodes=nodes) for line in pages(client, RunLine, "/runs", "run", "")]


def run_with(client: ApiClient, run: str, *, nodes: bool = False) -> SeenRun:
    """One run with its lists. Raises ApiProblem and ApiUnreachable."""
    return SeenRun(
        client.read(Run, f"/runs/{run}"),
        tuple(pages(client, NodeLine, f"/runs/{run}/nodes", "node", "")) if nodes else (),
        tuple(pages(client, Credit, f"/runs/{run}/contributions", "entry", -1)),
    )


def pages(client: ApiClient, kind: type[Line], path: str, key: str, start: object) -> Iterator[Line]:
    """All lines of a list in pages; a page begins after the `key` of the last line before it."""
    after = start
    while lines := client.read_list(kind, path, after=after):
        yield from lines
        position = getattr(lines[-1], key)
        if position == after:
            return  # a server that repeats a page ends the list
        after = position
