"""Payout roots: the log's roots of each epoch against the chain's (J20).

An epoch is compared when the log says that it ended, so that only open ones are remembered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from web3.exceptions import Web3Exception

from contracts.bindings.verifier_registry import EpochState, EpochStatus, VerifierRegistry
from contracts.ids import to_hex
from contracts.protocol.judge.entries import EpochClosed, EpochEnded
from contracts.protocol.log.leaf import Entry
from verifier.log.report import LogFinding

RootOf = Callable[[int], bytes]
"""The log's root over its first entries."""


@dataclass(frozen=True)
class Given:
    """A root that an entry gave an epoch."""

    index: int
    attempt: int
    root: str
    total: int
    count: int


class RootCheck:
    """Takes the entries in order; without a registry only the log's own word is checked."""

    def __init__(self, registry: VerifierRegistry | None, size: int, root_of: RootOf) -> None:
        self._registry = registry
        self._size = size
        self._root_of = root_of
        self._given: dict[int, list[Given]] = defaultdict(list)
        self._newest = 0
        self.stopped = ""
        """The reason why the chain is no longer asked."""
        self.final = 0
        """Epochs that are final on the chain with a root that follows from the log."""
        self.open: list[str] = []
        """States of the epochs that are not final, for people."""
        self.beyond: list[str] = []
        """Epochs that the chain has over more entries than were read."""

    def take(self, index: int, entry: Entry) -> Iterator[LogFinding]:
        """Check an entry."""
        if isinstance(entry, EpochClosed):
            root = Given(index, entry.attempt, entry.root, entry.total, len(entry.lines))
            self._given[entry.epoch].append(root)
            self._newest = max(self._newest, entry.epoch)
        elif isinstance(entry, EpochEnded):
            yield from self._ended(index, entry)

    def finish(self, whole: bool) -> Iterator[LogFinding]:
        """The epochs that did not end in the log, and where the `whole` log was read those that only the chain has."""
        if self._registry is None:
            return
        for epoch in sorted(self._given):
            state = self._asked(self._registry, epoch)
            if state is not None:
                yield from self._open(epoch, state)
        epoch = self._newest + 1
        while whole and (state := self._asked(self._registry, epoch)) and state.status is not EpochStatus.NONE:
            if not self._is_beyond(epoch, state):
                yield LogFinding("epoch", f"epoch {epoch} is on the chain, and the log never closed it")
            epoch += 1

    def _ended(self, index: int, entry: EpochEnded) -> Iterator[LogFinding]:
        roots = self._given.pop(entry.epoch, [])
        if not entry.ours:
            detail = f"epoch {entry.epoch} is final on the chain with a root that does not follow from the log"
            yield LogFinding("epoch", detail, index, _shown(roots))
            return
        state = self._asked(self._registry, entry.epoch) if self._registry is not None else None
        if state is not None:
            if state.status is not EpochStatus.FINAL:
                detail = f"epoch {entry.epoch} ended, and is {state.status.name.lower()} on the chain"
                yield LogFinding("epoch", detail, index)
                return
            findings = list(self._foreign(entry.epoch, state, roots, index))
            self.final += not findings
            yield from findings

    def _open(self, epoch: int, state: EpochState) -> Iterator[LogFinding]:
        roots = self._given[epoch]
        if state.status is EpochStatus.NONE:
            newest = roots[-1]
            self.open.append(f"epoch {epoch}: not on the chain yet; {newest.count} payees, root {newest.root}")
            return
        if self._is_beyond(epoch, state):
            return
        findings = list(self._foreign(epoch, state, roots, roots[-1].index))
        yield from findings
        if not findings:
            self.open.append(f"epoch {epoch}: {state.status.name.lower()} on the chain, with a root of the log's")

    def _asked(self, registry: VerifierRegistry, epoch: int) -> EpochState | None:
        """The chain's state of an epoch; None once its node did not answer."""
        try:
            return None if self.stopped else registry.epoch_of(epoch)
        except (OSError, ValueError, Web3Exception) as error:
            self.stopped = f"roots from epoch {epoch} on: the chain node does not answer ({type(error).__name__})"
            return None

    def _is_beyond(self, epoch: int, state: EpochState) -> bool:
        """Whether the chain's root is over more entries than were read: such a root cannot be checked."""
        if state.log_size <= self._size:
            return False
        self.beyond.append(f"epoch {epoch}: the chain has it over {state.log_size} entries, more than were read")
        return True

    def _foreign(self, epoch: int, state: EpochState, roots: list[Given], index: int) -> Iterator[LogFinding]:
        """The chain's root is one that the log gave, over the log up to the entry that gave it."""
        theirs = (state.attempt, to_hex(state.root), state.total, state.count, state.log_size)
        matching = [
            root for root in roots if (root.attempt, root.root, root.total, root.count, root.index + 1) == theirs
        ]
        if not matching:
            detail = f"epoch {epoch} has root {to_hex(state.root)} (attempt {state.attempt}) on the chain"
            yield LogFinding("epoch", f"{detail}, which the log did not give it", index, _shown(roots))
        elif self._root_of(state.log_size) != state.log_root:
            yield LogFinding("epoch", f"epoch {epoch} is anchored to another log of {state.log_size} entries", index)


def _shown(roots: list[Given]) -> str:
    return ", ".join(f"root {root.root} (attempt {root.attempt}) by entry {root.index}" for root in roots)
