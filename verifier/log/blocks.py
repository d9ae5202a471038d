"""Blocks of the log against one's own chain: part by part what ChainReader says, for the same state.

A chain node that is behind, or does not answer, is no finding: from there on blocks are not compared, and that is said.
"""

from __future__ import annotations

from collections import deque

from web3.exceptions import Web3Exception

from contracts.errors import CommonweightError
from contracts.protocol.chain_reading import ChainReader
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.state import State
from contracts.protocol.log.blocks import split


class BlockCheck:
    """Takes the block entries in order. `checked` counts those that are the chain's, `stopped` says why no more are."""

    def __init__(self, reader: ChainReader | None) -> None:
        self._reader = reader
        self._expected: deque[Block] = deque()
        self.checked = self.unchecked = 0
        self.stopped = "no chain node was named" if reader is None else ""

    def due(self, state: State, block: Block) -> Block | None:
        """What the chain says where the log says `block`; None where both are one, or nobody here can tell."""
        if self.stopped or not self._asked(state, block):
            self.unchecked += 1
            return None
        expected = self._expected.popleft()
        if expected == block:
            self.checked += 1
            return None
        return expected

    def _asked(self, state: State, block: Block) -> bool:
        """Whether the chain has said what this entry must be."""
        if self._expected:
            return True
        if state.block is not None and block.number <= state.block.number:
            return False  # the machine refuses it
        assert self._reader is not None, "it has not stopped"
        try:
            self._expected = deque(split(self._reader.block(state, block.number)))
        except CommonweightError as error:
            self.stopped = f"from block {block.number} on: {error.detail}"
        except (OSError, ValueError, Web3Exception) as error:
            self.stopped = f"from block {block.number} on: the chain node does not answer ({type(error).__name__})"
        return bool(self._expected)
