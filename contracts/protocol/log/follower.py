"""A copy of the log, read with the machine: every derived entry must be what follows, where it follows.

A server follows its own log, a verifier the operator's, an audit all of one that was downloaded. All read the same
entries, and come to the same state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from contracts.errors import CommonweightError
from contracts.ids import Address, ProofId
from contracts.messages.signatures import Domain
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.errors import Differs
from contracts.protocol.judge.facts import Fact
from contracts.protocol.judge.functions import Functions
from contracts.protocol.judge.held import proof_of
from contracts.protocol.judge.machine import apply, due
from contracts.protocol.judge.rules.roots import grow
from contracts.protocol.judge.state import State
from contracts.protocol.log.leaf import Entry, read


@dataclass
class Follower:
    """The machine at the end of the entries that were read. `checked`: whether signatures are recovered again; a reader
    of its own log leaves that out."""

    functions: Functions
    domain: Domain
    checked: bool = True
    state: State = field(init=False)
    due: deque[Derived] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        self.state = State(self.functions)

    @property
    def size(self) -> int:
        """Entries that were read."""
        return self.state.size - len(self.due)

    def take(self, text: str) -> Entry:
        """Read the next leaf. Raises Differs, with its index."""
        index = self.size
        try:
            entry = self.understand(text)
        except CommonweightError as error:
            raise Differs(index, f"cannot be read: {error.detail}") from error
        if isinstance(entry, Derived):
            self._compare(index, entry)
        else:
            self._enter(index, entry)
        grow(self.state, entry, text)
        return entry

    def follow(self, fact: Fact, texts: Sequence[str]) -> None:
        """Enter a fact that this process has just written into its own log, with the leaves of all that follows."""
        entries = (fact, *self._enter_own(fact))
        assert len(entries) == len(texts), "the same fact is followed by the same entries"
        for entry, text in zip(entries, texts, strict=True):
            grow(self.state, entry, text)

    def understand(self, text: str) -> Entry:
        """The entry of a leaf, before it is entered. Raises InvalidLeaf, Refused, and what signatures raise."""
        return read(text, self.domain, self.author, self.checked)

    def finish(self) -> None:
        """Raises Differs where entries are missing at the end."""
        if self.due:
            raise Differs(self.size, f"is missing: {type(self.due[0]).__name__}")

    def _compare(self, index: int, entry: Derived) -> None:
        if not self.due or entry != self.due[0]:
            raise Differs(index, "is not what follows from the entries before it")
        self.due.popleft()

    def _enter(self, index: int, entry: Entry) -> None:
        if self.due:
            raise Differs(index, f"stands where {type(self.due[0]).__name__} is due")
        try:
            apply(self.state, entry)  # type: ignore[arg-type]
            self.due.extend(due(self.state))
        except CommonweightError as error:
            raise Differs(index, f"cannot be entered: {error.detail}") from error

    def _enter_own(self, fact: Fact) -> list[Derived]:
        apply(self.state, fact)
        return due(self.state)

    def author(self, proof: ProofId) -> Address:
        """The node of a proof. Raises UnknownSubject."""
        return proof_of(self.state, proof).commitment.node


def audit(leaves: Iterable[str], functions: Functions, domain: Domain) -> State:
    """Read a whole log, believing nothing of it. Raises Differs."""
    follower = Follower(functions, domain)
    for text in leaves:
        follower.take(text)
    follower.finish()
    return follower.state
