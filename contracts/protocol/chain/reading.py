"""Events of final blocks, as the machine takes them: read by the server to enter them, by verifiers to check them.

For one chain and one state there is one answer, to the last byte: every reader gets the same block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from web3 import Web3
from web3.exceptions import BlockNotFound

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.deployment import Deployment
from contracts.chain.presence import require_present
from contracts.errors import CommonweightError
from contracts.evm.errors import ChainUnfit
from contracts.genesis.creation import first_block
from contracts.ids import to_hex
from contracts.protocol.chain.logs import DecodedLog, ModelLogs
from contracts.protocol.chain.translation import Translation
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.state import Phase, State


class BlockNotFinal(CommonweightError):
    """One's own node does not have that block as final: it may be behind, so ask again later."""

    code = "block-not-final"
    status = 503


@dataclass(frozen=True)
class DueBlocks:
    """The part of a machine's state that says which block is due: its last block, and the times (Unix seconds) of the
    beacons that it awaits. It holds nothing that changes."""

    block: Block | None
    beacon_times: tuple[int, ...]

    @classmethod
    def of(cls, state: State) -> DueBlocks:
        """The standing of a machine, as it is now."""
        return cls(state.block, tuple(_beacon_times(state)))


class ChainReader:
    """The final blocks of one model's chain. Without a clock and without memory of what it answered."""

    def __init__(self, w3: Web3, deployment: Deployment) -> None:
        self._w3 = w3
        self._deployment = deployment
        self._registry = VerifierRegistry(w3, deployment.verifier_registry)
        self._logs = ModelLogs(w3, deployment)

    def final(self) -> tuple[int, int]:
        """Number and time (Unix seconds) of the newest final block. Raises ChainUnfit."""
        header = self._header("finalized")
        return _whole(header, "number"), _whole(header, "timestamp")

    def block(self, state: State, number: int) -> Block:
        """Block `number`, unsplit, with all that it and the blocks after the state's last one said.

        Raises BlockNotFinal, ChainUnfit, LogsRefused, ChainOther and ChainWithoutContract where the chain is another
        one or lost its state, and BadField for a number before the registry's creation.
        """
        first = self._first(state)
        if number < first:
            raise ChainUnfit(f"block {number} does not come after block {first - 1}")
        if number > self.final()[0]:
            require_present(self._w3, self._deployment)
            raise BlockNotFinal(f"block {number} is not final")
        self._check_continues(state)
        header = self._numbered(number)
        parent = self._numbered(number - 1)
        if _hash(header, "parentHash") != _hash(parent, "hash"):
            raise ChainUnfit(f"block {number} does not follow block {number - 1}")
        logs = _of_block(self._logs.read(first, number), number, _hash(header, "hash"))
        events = Translation(state, self._least_stake).of(logs)
        times = _whole(header, "timestamp"), _whole(parent, "timestamp")
        return Block(number, times[0], _hash(header, "hash"), events, times[1])

    def due(self, standing: DueBlocks, every: int, final: tuple[int, int] | None = None) -> int | None:
        """Number of the block that has to be entered now, if any: a round's beacon, else the newest final one where
        something was said, or where `every` seconds of chain time have passed. `final` is what `final` gave just now.
        Raises ChainUnfit.

        None while a block's parts are not all entered: they are entered in one go.
        """
        number, time = final or self.final()
        last = standing.block
        targets = standing.beacon_times
        if last is None:
            return number if number >= self._deployment.block else None
        if last.more or number <= last.number:
            return None
        if targets and time >= min(targets):
            return self._first_at(min(targets), last.number + 1, number)
        if time >= last.time + every or self._logs.has_any(last.number + 1, number):
            return number
        return None

    def _first(self, state: State) -> int:
        """Number of the first block that was not entered."""
        if state.block is None:
            return self.created
        if state.block.more:
            raise ChainUnfit(f"block {state.block.number} is not entered to its end")
        return state.block.number + 1

    def _first_at(self, time: int, low: int, high: int) -> int:
        """The first block from `low` on of that time or later; `high` is one, and times never fall."""
        while low < high:
            middle = (low + high) // 2
            if _whole(self._numbered(middle), "timestamp") >= time:
                high = middle
            else:
                low = middle + 1
        return low

    def _check_continues(self, state: State) -> None:
        last = state.block
        if last is None:
            return
        header = self._numbered(last.number)
        if (_hash(header, "hash"), _whole(header, "timestamp")) != (last.hash, last.time):
            raise ChainUnfit(f"block {last.number} is {_hash(header, 'hash')} here, the log has {last.hash}")

    def _numbered(self, number: int) -> Mapping[str, Any]:
        header = self._header(number)
        if _whole(header, "number") != number:
            raise ChainUnfit(f"asked for block {number}, got {header['number']}")
        return header

    def _header(self, block: Any) -> Mapping[str, Any]:
        try:
            return cast(Mapping[str, Any], self._w3.eth.get_block(block))
        except BlockNotFound as error:
            raise ChainUnfit(f"the node has no block {block}") from error

    @cached_property
    def created(self) -> int:
        """Block in which the registry came to be. Raises BadField where it did not, and what reading logs raises."""
        return self._registry.created(self._deployment.block, first_block(self._w3, self._deployment))

    @cached_property
    def _least_stake(self) -> int:
        return self._registry.min_stake()


def _of_block(logs: Iterable[DecodedLog], number: int, name: str) -> Iterator[DecodedLog]:
    """The same logs. Raises ChainUnfit for one of a block `number` with another hash."""
    for event in logs:
        if event.block == number and event.block_hash != name:
            raise ChainUnfit(f"logs of another block {number}")
        yield event


def _beacon_times(state: State) -> Iterator[int]:
    for run in state.runs.values():
        for current in run.rounds.values():
            if current.phase is Phase.CLOSED and current.beacon is None:
                yield current.beacon_time


def _whole(header: Mapping[str, Any], name: str) -> int:
    value = header.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ChainUnfit(f"a block's {name} is {value!r}")
    return value


def _hash(header: Mapping[str, Any], name: str) -> str:
    value = header.get(name)
    if not isinstance(value, bytes) or len(value) != 32:
        raise ChainUnfit(f"a block's {name} is {value!r}")
    return to_hex(value)
