"""A chain and a copy of the log that tests of this folder say everything of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.ids import as_address
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.messages.signatures import Domain
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.state import State
from contracts.protocol.log.leaf import read
from verifier.mirror.errors import NotHeld
from verifier.replica.errors import ChainAway, LogWaits


@dataclass
class FakeChain:
    """Blocks by number; `at` is the newest final one, None while the node does not answer."""

    blocks: dict[int, Block] = field(default_factory=dict)
    at: int | None = 10**9
    now: int = 0
    asked: list[int] = field(default_factory=list)

    def final(self) -> tuple[int, int]:
        if self.at is None:
            raise ChainAway("does not answer in time")
        return self.at, self.now

    def newest_time(self) -> int:
        self.final()
        return self.now

    def block(self, state: State, number: int) -> Block:
        self.asked.append(number)
        if number > self.final()[0] or number not in self.blocks:
            raise LogWaits(f"block {number} is not final here")
        return self.blocks[number]


@dataclass
class FakeCopy:
    """Entries of a log, as a mirror's copy gives them."""

    leaves: list[bytes]

    @property
    def signed(self) -> int:
        """Entries under one's own head."""
        return len(self.leaves)

    def entries(self, start: int, end: int) -> list[bytes]:
        if end > len(self.leaves):
            raise NotHeld("fewer entries")
        return self.leaves[start:end]

    def root(self, size: int) -> bytes:
        if size > len(self.leaves):
            raise NotHeld("fewer entries")
        return SHA256_TREE.root(self.leaves[:size])


def copy_of(leaves: Sequence[str]) -> FakeCopy:
    return FakeCopy([leaf.encode() for leaf in leaves])


def chain_of(leaves: Sequence[str], domain: Domain) -> FakeChain:
    """The chain whose blocks a log has, parts put together again."""
    chain = FakeChain()
    for leaf in leaves:
        if json.loads(leaf)["kind"] == "block":
            part = read(leaf, domain, as_address)
            assert isinstance(part, Block)
            before = chain.blocks.get(part.number)
            events = (*(before.events if before else ()), *part.events)
            chain.blocks[part.number] = Block(part.number, part.time, part.hash, events, part.parent_time)
    return chain
