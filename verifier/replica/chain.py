"""A verifier's own chain, asked with bounds: a missing answer keeps a head from being signed, and nothing else.

The blocks themselves are read by contracts/protocol/chain/reading.py:ChainReader.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from requests.exceptions import RequestException
from web3 import Web3

from contracts.chain.deployment import Deployment
from contracts.chain.presence import require_present
from contracts.errors import CommonweightError
from contracts.evm.chain_trouble import chain_trouble
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.state import State
from verifier.replica.errors import ChainAway, LogWaits

T = TypeVar("T")
PRESENT_SECONDS = 30.0
"""Seconds for which a chain that had the model's contracts is taken to have them still."""


class BlockReader(Protocol):
    """The methods of contracts/protocol/chain/reading.py:ChainReader that are used here."""

    def final(self) -> tuple[int, int]:
        """Number and time of the newest final block."""

    def block(self, state: State, number: int) -> Block:
        """The block entry with all events since the state's block, up to this one."""


class Chain(Protocol):
    """A verifier's own chain. Every method raises LogWaits where the chain does not answer."""

    def final(self) -> tuple[int, int]:
        """Number and time of the newest final block."""

    def newest_time(self) -> int:
        """Time of the newest block, final or not."""

    def block(self, state: State, number: int) -> Block:
        """The block, as BlockReader.block gives it, where it is final here."""


@dataclass(frozen=True)
class OwnChain:
    """A chain node. `newest` gives the time of the newest block."""

    reader: BlockReader
    newest: Callable[[], int]

    def final(self) -> tuple[int, int]:
        """Raises LogWaits."""
        return _asked(self.reader.final)

    def newest_time(self) -> int:
        """Raises LogWaits."""
        return _asked(self.newest)

    def block(self, state: State, number: int) -> Block:
        """Raises LogWaits, also for a block that is not final here."""
        final, _ = self.final()
        if number > final:
            raise LogWaits(f"block {number} of the log is not final at one's own chain node, which stands at {final}")
        return _asked(lambda: self.reader.block(state, number))


class NewestTime:
    """Time of a chain node's newest block, while the model is on that chain: on another one, or on this one without its
    state, time would go on as well. Raises ChainOther and ChainWithoutContract."""

    def __init__(self, w3: Web3, deployment: Deployment) -> None:
        self._w3 = w3
        self._deployment = deployment
        self._until = 0.0

    def __call__(self) -> int:
        if time.monotonic() >= self._until:
            require_present(self._w3, self._deployment)
            self._until = time.monotonic() + PRESENT_SECONDS
        return int(self._w3.eth.get_block("latest")["timestamp"])


def _asked(ask: Callable[[], T]) -> T:
    """Ask the chain node; its errors are no finding. Raises LogWaits, and ChainAway where the node does not answer."""
    try:
        return ask()
    except RequestException as error:
        raise ChainAway(chain_trouble(error)) from error
    except CommonweightError as error:
        raise LogWaits(f"one's own chain node: {error.detail}") from error
    except Exception as error:  # web3 and its transport raise their own
        raise ChainAway(chain_trouble(error)) from error
