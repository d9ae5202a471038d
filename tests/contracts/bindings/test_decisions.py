"""Whatever a decision says, it is applied or refused with a reason, at the decoder and through the chain's events."""

from __future__ import annotations

from random import Random

import pytest
from web3 import Web3

from contracts.bindings.governor import Action
from contracts.protocol.judge.chain_events import Decided
from tests.contracts.decisions import ON_CHAIN, end_of, random_decision
from tests.contracts.protocol.chain.test_reading import FollowedModel

LONGEST_REASON = 1_000


@pytest.mark.unit
def test_no_decision_ends_the_decoder() -> None:
    chance, ends = Random(21), set()
    for _ in range(1_000):
        end = end_of(*random_decision(chance))
        assert len(end) < LONGEST_REASON
        ends.add(bool(end))
    assert ends == {False, True}


@pytest.mark.integration
def test_no_decision_ends_who_reads_the_chain() -> None:
    told = decide_on_chain(FollowedModel.fresh(), Random(21), 12)
    assert all(len(end_of(key, value)) < LONGEST_REASON for key, value in told)


def decide_on_chain(followed: FollowedModel, chance: Random, count: int, at_once: int = 1) -> list[tuple[str, str]]:
    """Real votes on random decisions; what a reader of the chain was told of each, in order."""
    followed.send(followed.claim(followed.finalized(1), 0))
    followed.wait(2)
    followed.told()
    made = [random_decision(chance, ON_CHAIN) for _ in range(count)]
    found: list[tuple[str, str]] = []
    for start in range(0, count, at_once):
        part = made[start : start + at_once]
        calls = [
            followed.models.decide(followed.id, Web3.keccak(text=str(start + n)), *one) for n, one in enumerate(part)
        ]
        _carry(followed, [Action.of(call) for call in calls], f"decisions from {start}")
        found += [(event.key, event.value) for event in followed.told() if isinstance(event, Decided)]
    assert len(found) == count
    return found


def _carry(followed: FollowedModel, actions: list[Action], text: str) -> None:
    governor, holder = followed.governor, followed.holder
    signature = governor.sign_proposal(holder, actions, text, 2**40)
    followed.send(governor.propose_by_sig(holder.address, actions, text, 2**40, signature))
    proposal = governor.proposal_id(actions, text)
    followed.wait(3)
    followed.send(governor.relay_votes([governor.sign_ballot(holder, proposal, 1)]))
    followed.wait(40)
    followed.send(governor.queue(actions, text))
    followed.wait(6)
    followed.send(governor.execute(actions, text))
