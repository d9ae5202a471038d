"""Blocks and roots against a chain that says another thing, is behind, or does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from web3.exceptions import Web3Exception

from contracts.bindings.verifier_registry import EpochState, EpochStatus, VerifierRegistry
from contracts.ids import RunId, to_hex
from contracts.protocol.chain.reading import BlockNotFinal, ChainReader
from contracts.protocol.judge.chain_events import Quorum, VerifierStands
from contracts.protocol.judge.entries import EpochClosed, EpochEnded
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.state import State
from contracts.protocol.log.blocks import split
from tests.contracts.protocol.log.signed_run import SignedRun, key
from verifier.log.blocks import BlockCheck
from verifier.log.report import LogFinding
from verifier.log.roots import RootCheck

pytestmark = pytest.mark.unit

BLOCK = Block(3, 1_000, "0x" + "01" * 32, (Quorum(2, 10), VerifierStands(key("v").address, True, 10)), 990)
STATE = State(SignedRun.protocol())


class Chain:
    """Says one block, or raises; its newest is `at`."""

    def __init__(self, said: Block | Exception, at: tuple[int, int] = (3, 1_000)) -> None:
        self.said, self.at = said, at

    def final(self) -> tuple[int, int]:
        return self.at

    def block(self, state: State, number: int) -> Block:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def check(said: Block | Exception) -> BlockCheck:
    return BlockCheck(cast(ChainReader, Chain(said)))


def test_a_block_that_is_the_chains_is_counted() -> None:
    made = check(BLOCK)
    assert made.due(STATE, BLOCK) is None
    assert (made.checked, made.unchecked, made.stopped) == (1, 0, "")


@pytest.mark.parametrize("changes", [{"events": BLOCK.events[:1]}, {"time": 1_001}, {"hash": "0x" + "02" * 32}])
def test_another_block_is_answered_with_the_chains(changes: dict[str, Any]) -> None:
    assert check(BLOCK).due(STATE, replace(BLOCK, **changes)) == BLOCK


def test_a_block_in_parts_is_compared_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.protocol.log.blocks.LARGEST_PART", 1)
    parts = split(BLOCK)
    made = check(BLOCK)
    assert [made.due(STATE, part) for part in parts] == [None, None]
    assert made.checked == 2
    other = check(BLOCK)
    assert other.due(STATE, parts[0]) is None
    assert other.due(STATE, replace(parts[1], events=())) == parts[1]


@pytest.mark.parametrize("error", [BlockNotFinal("block 3 is not final"), OSError("away"), Web3Exception("odd")])
def test_a_chain_that_cannot_tell_is_no_finding(error: Exception) -> None:
    """It is asked no more."""
    made = check(error)
    assert made.due(STATE, BLOCK) is None
    assert made.due(STATE, BLOCK) is None
    assert (made.checked, made.unchecked) == (0, 2)
    assert made.stopped.startswith("from block 3 on")


@pytest.mark.parametrize(
    ("final", "now", "never"),
    [
        ((3, 1_000), 2_000.0, False),
        ((2, 990), 2_000.0, False),
        ((2, 1_001), 2_000.0, True),
        ((2, -3_000), -3_000.0, True),
    ],
    ids=["final", "behind", "a later block is before it", "a time to come"],
)
def test_a_node_that_is_behind_is_told_from_a_false_block(final: tuple[int, int], now: float, never: bool) -> None:
    made = BlockCheck(cast(ChainReader, Chain(BLOCK, final)), now=lambda: now)
    assert bool(made.never(STATE, BLOCK)) is never


def test_the_first_block_is_not_before_the_registry() -> None:
    made = BlockCheck(cast(ChainReader, Chain(BLOCK)), first=lambda: 4)
    assert "from block 4 on" in made.never(STATE, BLOCK)
    assert BlockCheck(cast(ChainReader, Chain(BLOCK)), first=lambda: 3).never(STATE, BLOCK) == ""


def test_a_node_that_does_not_answer_finds_nothing() -> None:
    def away() -> int:
        raise OSError("away")

    made = BlockCheck(cast(ChainReader, Chain(BLOCK)), first=away)
    assert made.never(STATE, BLOCK) == ""
    assert made.due(STATE, BLOCK) is None
    assert made.stopped.startswith("from block 3 on")


# ---- roots

ROOT, OTHER = b"\1" * 32, b"\2" * 32
CLOSED = EpochClosed(1, 0, RunId("0xrun"), 1, 1, 10, 10, (), to_hex(ROOT), 2_000, 1_000)
AT = 41
STANDS = EpochState(EpochStatus.FINAL, 0, 0, False, 10, "", 0, 0, ROOT, 0, AT + 1, 0, b"\7" * 32)


class Registry:
    """Epochs by number; one that is not there is on no chain."""

    def __init__(self, **epochs: EpochState | Exception) -> None:
        self.epochs = {int(name[1:]): state for name, state in epochs.items()}

    def epoch_of(self, epoch: int) -> EpochState:
        found = self.epochs.get(epoch, replace(STANDS, status=EpochStatus.NONE))
        if isinstance(found, Exception):
            raise found
        return found


def roots(registry: Registry | None, size: int = 100) -> RootCheck:
    def root_of(size: int) -> bytes:
        return STANDS.log_root if size == AT + 1 else OTHER

    return RootCheck(cast(VerifierRegistry, registry) if registry else None, size, root_of)


def read(made: RootCheck, *entries: EpochClosed | EpochEnded, whole: bool = True) -> list[LogFinding]:
    def all_() -> Iterator[LogFinding]:
        for place, entry in enumerate(entries):
            yield from made.take(AT + place, entry)
        yield from made.finish(whole)

    return list(all_())


ENDED = EpochEnded(1, 0, CLOSED.root, True, 0)


def test_the_root_that_the_log_gave_holds() -> None:
    made = roots(Registry(e1=STANDS))
    assert read(made, CLOSED, ENDED) == []
    assert made.final == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"root": OTHER}, "which the log did not give it"),
        ({"total": 11}, "which the log did not give it"),
        ({"count": 1}, "which the log did not give it"),
        ({"attempt": 1}, "which the log did not give it"),
        ({"log_size": AT + 2}, "which the log did not give it"),
        ({"log_root": OTHER}, "anchored to another log"),
        ({"status": EpochStatus.PROPOSED}, "is proposed on the chain"),
        ({"status": EpochStatus.NONE}, "is none on the chain"),
    ],
)
def test_another_root_is_a_finding(changes: dict[str, Any], said: str) -> None:
    (finding,) = read(roots(Registry(e1=replace(STANDS, **changes))), CLOSED, ENDED)
    assert (finding.kind, finding.index) == ("epoch", AT + 1)
    assert said in finding.what


def test_a_foreign_root_in_the_log_is_a_finding_without_a_chain() -> None:
    (finding,) = read(roots(None), CLOSED, replace(ENDED, ours=False))
    assert "does not follow from the log" in finding.what
    assert to_hex(ROOT) in finding.due


def test_open_epochs_are_compared_and_shown() -> None:
    made = roots(Registry(e1=replace(STANDS, status=EpochStatus.PROPOSED)))
    assert read(made, CLOSED) == []
    assert made.open == ["epoch 1: proposed on the chain, with a root of the log's"]
    made = roots(Registry())
    assert read(made, CLOSED) == []
    assert "not on the chain yet" in made.open[0]
    (finding,) = read(roots(Registry(e1=replace(STANDS, root=OTHER))), CLOSED)
    assert finding.index == AT


def test_an_unclosed_epoch_is_a_finding_only_in_a_whole_log() -> None:
    foreign = Registry(e1=STANDS, e2=replace(STANDS, root=OTHER), e3=replace(STANDS, root=OTHER))
    found = read(roots(foreign), CLOSED, ENDED)
    assert [finding.what for finding in found] == [
        f"epoch {number} is on the chain, and the log never closed it" for number in (2, 3)
    ]
    assert read(roots(foreign), CLOSED, ENDED, whole=False) == []


def test_an_older_copy_cannot_tell_of_epochs_beyond_it() -> None:
    made = roots(Registry(e1=STANDS, e2=replace(STANDS, log_size=500)))
    assert read(made, CLOSED, ENDED) == []
    assert "more than were read" in made.beyond[0]


def test_a_chain_that_does_not_answer_is_named_and_asked_no_more() -> None:
    made = roots(Registry(e1=OSError("away"), e2=STANDS))
    assert read(made, CLOSED, ENDED) == []
    assert made.final == 0
    assert "does not answer" in made.stopped
