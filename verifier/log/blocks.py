"""Blocks of the log against the auditor's own chain: compared part by part with ChainReader's, for the same state.

A block that cannot be on this chain is a finding: one before the chain had verifiers, one that the node would have by
now, or one of a time to come. A chain node that is behind, or does not answer, makes no finding: from there on blocks
are not compared, and the report says so.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from web3.exceptions import Web3Exception

from contracts.errors import CommonweightError
from contracts.protocol.chain.reading import ChainReader
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.state import State
from contracts.protocol.log.blocks import split

A_SECOND = 100
"""Blocks that the quickest chain makes in a second."""
AHEAD = 3600.0
"""Seconds by which the clocks of a chain and of this machine may differ."""
_WEATHER = (OSError, ValueError, Web3Exception)


class BlockCheck:
    """Takes the block entries in order. `checked` counts those that are the chain's, `stopped` says why no more are.

    `first` gives the block in which the verifiers' registry came to be, `now` the time in seconds since 1970.
    """

    def __init__(
        self, reader: ChainReader | None, first: Callable[[], int] = lambda: 0, now: Callable[[], float] = time.time
    ) -> None:
        self._reader = reader
        self._first = first
        self._now = now
        self._final: tuple[int, int] | None = None
        self._expected: deque[Block] = deque()
        self.checked = self.unchecked = 0
        self.stopped = "no chain node was named" if reader is None else ""

    def due(self, state: State, block: Block) -> Block | None:
        """The chain's block in place of the log's; None where both are equal, or cannot be compared."""
        if self.stopped or not self._asked(state, block):
            self.unchecked += 1
            return None
        expected = self._expected.popleft()
        if expected == block:
            self.checked += 1
            return None
        return expected

    def never(self, state: State, block: Block) -> str:
        """The reason why a block can never have been on this chain; empty where it may be there."""
        if self.stopped or self._expected:
            return ""
        try:
            return self._before_all(state, block) or self._beyond(block)
        except CommonweightError as error:
            self.stopped = f"from block {block.number} on: {error.detail}"
        except _WEATHER as error:
            self.stopped = f"from block {block.number} on: the chain node does not answer ({type(error).__name__})"
        return ""

    def _before_all(self, state: State, block: Block) -> str:
        if state.block is not None or block.number >= (first := self._first()):
            return ""
        return f"is of block {block.number}, and this chain has verifiers from block {first} on"

    def _beyond(self, block: Block) -> str:
        """The reason why a block is beyond this chain: numbers and times rise together, and none is of the future."""
        number, at = self._newest(block.number)
        if block.number <= number:
            return ""
        if block.time < at:
            return f"is of block {block.number} at {block.time}, and this chain had only block {number} at {at}"
        if block.number - number > A_SECOND * (block.time - at + 1):
            return f"is of block {block.number} at {block.time}, which no chain reaches from block {number} at {at}"
        if block.time > max(self._now(), at) + AHEAD:  # a clock that is behind the chain makes no finding
            return f"is of block {block.number} at {block.time}, a time to come"
        return ""

    def _newest(self, number: int) -> tuple[int, int]:
        """Number and time of a final block: the last one that was read, where it is not before `number`."""
        assert self._reader is not None, "it has not stopped"
        if self._final is None or self._final[0] < number:
            self._final = self._reader.final()
        return self._final

    def _asked(self, state: State, block: Block) -> bool:
        """Whether the chain has given the block that this entry must be."""
        if self._expected:
            return True
        if state.block is not None and block.number <= state.block.number:
            return False  # the machine refuses it
        assert self._reader is not None, "it has not stopped"
        try:
            self._expected = deque(split(self._reader.block(state, block.number)))
        except CommonweightError as error:
            self.stopped = f"from block {block.number} on: {error.detail}"
        except _WEATHER as error:
            self.stopped = f"from block {block.number} on: the chain node does not answer ({type(error).__name__})"
        return bool(self._expected)
