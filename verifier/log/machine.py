"""The machine over the entries of a log: each derived entry follows from the rules, each block from the chain."""

from __future__ import annotations

from contracts.errors import CommonweightError
from contracts.messages.signatures import Domain
from contracts.protocol.judge.errors import Differs
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.functions import Functions
from contracts.protocol.judge.state import State
from contracts.protocol.log.follower import Follower
from contracts.protocol.log.leaf import Entry, write
from verifier.log.blocks import BlockCheck
from verifier.log.report import LogFinding

_BLOCK = b'"kind":"block"'


class Departs(CommonweightError):
    """The entry at which a log departs from its rules: the entries after it mean nothing."""

    code = "log-departs"

    def __init__(self, finding: LogFinding) -> None:
        super().__init__(finding.line())
        self.finding = finding


class MachineAudit:
    """Takes one entry after the other, every signature recovered."""

    def __init__(self, functions: Functions, domain: Domain, blocks: BlockCheck) -> None:
        self._follower = Follower(functions, domain)
        self._blocks = blocks

    @property
    def state(self) -> State:
        """The state after the entries so far."""
        return self._follower.state

    def take(self, leaf: bytes) -> Entry:
        """The next entry. Raises Departs."""
        index = self._follower.size
        try:
            text = leaf.decode()
        except UnicodeDecodeError as error:
            raise Departs(LogFinding("entry", f"is not UTF-8 at byte {error.start}", index)) from None
        if _BLOCK in leaf and not self._follower.due:
            self._check_block(index, text)
        due = self._due()
        try:
            return self._follower.take(text)
        except Differs as error:
            raise Departs(self._finding(error, due)) from error

    def finish(self) -> None:
        """At the log's end. Raises Departs."""
        due = self._due()
        try:
            self._follower.finish()
        except Differs as error:
            raise Departs(self._finding(error, due)) from error

    def _finding(self, error: Differs, due: str) -> LogFinding:
        return LogFinding("entry", error.detail.removeprefix(f"entry {error.index} "), error.index, due)

    def _due(self) -> str:
        due = self._follower.due
        return write(due[0]) if due else ""

    def _check_block(self, index: int, text: str) -> None:
        try:
            block = self._follower.understand(text)
        except CommonweightError:
            return  # the follower says why
        if not isinstance(block, Block):
            return
        if never := self._blocks.never(self.state, block):
            raise Departs(LogFinding("block", never, index))
        expected = self._blocks.due(self.state, block)
        if expected is not None:
            detail = f"says another thing of block {block.number} than the chain"
            raise Departs(LogFinding("block", detail, index, write(expected)))
