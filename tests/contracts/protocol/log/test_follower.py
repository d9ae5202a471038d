"""A log in real messages: it is what the rules derive, and every departure is found with its index."""

from __future__ import annotations

from functools import cache

import pytest

from contracts.protocol.judge.errors import Differs
from contracts.protocol.log.follower import Follower, audit
from contracts.protocol.log.leaf import DERIVED
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun

pytestmark = pytest.mark.unit


@cache
def run() -> SignedRun:
    """Two rounds of everybody's honest work."""
    made = SignedRun(rounds=2)
    made.play(2)
    return made


def test_an_honest_log_holds_and_everybody_is_paid() -> None:
    state = audit(run().leaves, run().functions, DOMAIN)
    assert state.size == len(run().leaves)
    assert state.epoch == 2
    assert all(entry.over for entry in state.runs.values())


def test_nothing_is_left_of_what_ended() -> None:
    """The state is flat: proofs and rounds go when their epoch is final."""
    state = audit(run().leaves, run().functions, DOMAIN)
    assert (state.proofs, state.open, state.epochs, state.reserved) == ({}, {}, {}, {})


@pytest.mark.parametrize("kind", ["round-opened", "panel-drawn", "drawn", "posted", "merge-set", "epoch-closed"])
def test_a_missing_entry_is_found_with_its_index(kind: str) -> None:
    leaves = run().leaves
    index = next(i for i, leaf in enumerate(leaves) if f'"kind":"{kind}"' in leaf)
    with pytest.raises(Differs) as found:
        audit(leaves[:index] + leaves[index + 1 :], run().functions, DOMAIN)
    assert found.value.index == index


def test_a_dropped_end_is_found() -> None:
    """The last derived entries are due, and not there."""
    leaves = run().leaves
    last = max(i for i, leaf in enumerate(leaves) if any(f'"kind":"{kind}"' in leaf for kind in DERIVED))
    follower = Follower(run().functions, DOMAIN)
    for leaf in leaves[:last]:
        follower.take(leaf)
    with pytest.raises(Differs):
        follower.finish()


@pytest.mark.parametrize("field", ["signatures", "message", "beside"])
def test_a_changed_message_is_found(field: str) -> None:
    leaves = list(run().leaves)
    index = next(i for i, leaf in enumerate(leaves) if '"kind":"commitment"' in leaf)
    place = leaves[index].index(f'"{field}":')
    at = leaves[index].index("0x", place) + 10
    digit = "0" if leaves[index][at] != "0" else "1"
    leaves[index] = leaves[index][:at] + digit + leaves[index][at + 1 :]
    with pytest.raises(Differs) as found:
        audit(leaves, run().functions, DOMAIN)
    assert found.value.index == index


def test_who_wrote_the_log_need_not_recover_its_signatures() -> None:
    follower = Follower(run().functions, DOMAIN, checked=False)
    for leaf in run().leaves:
        follower.take(leaf)
    assert follower.size == len(run().leaves)
