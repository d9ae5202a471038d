"""What the chain said fits into entries, however much it is; so does every list that the machine derives."""

from __future__ import annotations

import pytest

from contracts.ids import ProofId, RunId, as_address
from contracts.protocol.judge import entries
from contracts.protocol.judge.chain_events import Decided, NodeStake
from contracts.protocol.judge.entries import Line, Listed
from contracts.protocol.judge.facts import Block
from contracts.protocol.judge.terms import MOST_PAID, RANGES
from contracts.protocol.log.blocks import split
from contracts.protocol.log.leaf import LARGEST_LEAF, write
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit

DIGEST, ADDRESS = "0x" + "ab" * 32, as_address("0x" + "Ab" * 20)
RUN, PROOF = RunId(DIGEST), ProofId(DIGEST)
NODES, VERIFIERS = RANGES["max_nodes"][1], 64


def test_a_block_of_many_events_is_split() -> None:
    events = tuple(NodeStake(ADDRESS, number) for number in range(2_000))
    parts = split(Block(1, 2, DIGEST, events, 1))
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    assert len(parts) > 1
    assert all(len(write(part).encode()) <= LARGEST_LEAF for part in parts)
    assert tuple(event for part in parts for event in part.events) == events


def test_a_block_without_events_is_one_entry() -> None:
    assert split(Block(1, 2, DIGEST, (), 1)) == [Block(1, 2, DIGEST, (), 1)]


@pytest.mark.parametrize(
    "text",
    ["x" * 70_000, "\ud800", "[" * 600, "\u0001" * 1_400, "x" * 1_500],
    ids=["long", "half", "brackets", "control", "most"],
)
def test_an_odd_decision_can_be_written(text: str) -> None:
    for part in split(Block(1, 2, DIGEST, (Decided(1, text, text),) * 50, 1)):
        write(part)


LINES = tuple(Line(ADDRESS, 0, 2**160) for _ in range(MOST_PAID))
"""What is owed adds up: far more than an emission may be."""
LARGEST = (
    entries.RoundOpened(
        run=RUN,
        round=2**40,
        theta=DIGEST,
        momentum=DIGEST,
        config="x" * 3_000,
        data_seed=DIGEST,
        block=2**40,
        k=VERIFIERS,
        verifiers=(ADDRESS,) * VERIFIERS,
        nodes=(Listed(ADDRESS, ADDRESS, DIGEST, DIGEST, 10**6, False, False),) * NODES,
    ),
    entries.RoundClosed(RUN, 2**40, (PROOF,) * NODES, 2**40),
    entries.MergeSet(RUN, 2**40, (PROOF,) * NODES, (DIGEST,) * NODES),
    entries.PanelDrawn(PROOF, DIGEST, True, (ADDRESS,) * VERIFIERS, (ADDRESS,) * VERIFIERS),
    entries.EpochClosed(2**40, 9, RUN, 1, 2**40, 2**140, 2**140, LINES, DIGEST, 2**40, 2**40),
)


@holds(
    "No derived entry is larger than a leaf", by="contracts/protocol/judge/terms.py:check_terms", against=Threat.FLOOD
)
@pytest.mark.parametrize("entry", LARGEST, ids=lambda entry: type(entry).__name__)
def test_the_largest_of_each_list_fits_into_a_leaf(entry: entries.Derived) -> None:
    assert len(write(entry).encode()) <= LARGEST_LEAF
