"""What is checked is the state at the registration's block, once, and nothing that came later."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hexbytes import HexBytes
from web3.types import FilterParams

from contracts.chain.connection import connect_devnet, contract_at
from contracts.chain.deployment import Deployment
from contracts.genesis import remembered
from contracts.genesis import terms as rules
from contracts.genesis.check import check_genesis
from contracts.genesis.creation import creations, first_block
from contracts.genesis.deploy import deploy_model
from contracts.genesis.params import GenesisParams
from contracts.genesis.refused import GenesisRefused
from contracts.genesis.remembered import check_once
from tests.contracts.bindings.deployed_model import DeployedModel
from tests.contracts.genesis.histories import live
from tests.contracts.genesis.maker import SOUND, Tampered, Town
from tests.holds import Threat, holds
from tests.limited_rpc import Limited

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def town() -> Town:
    return Town()


def test_a_power_given_up_after_the_registration_is_refused(town: Town) -> None:
    """A later look finds it gone: only the state at the deployment's block tells."""
    d = town.make(Tampered(hands_over_late=True))
    with pytest.raises(GenesisRefused, match=f"{town.deployer.address} holds role"):
        check_genesis(town.w3, d)


@holds(
    "A later decision of the holders raises no alarm",
    by="contracts/genesis/check.py:check_genesis",
    against=Threat.TAKEOVER,
)
@pytest.mark.parametrize("seed", range(4))
def test_what_holders_decide_later_is_no_alarm(seed: int) -> None:
    """Another minter, an arbiter of their own, a new threshold: theirs to decide; the beginning stays what it was."""
    model = DeployedModel.fresh()
    before = check_genesis(model.w3, model.deployment)
    assert live(model, random.Random(seed))
    assert check_genesis(model.w3, model.deployment) == before


def test_a_proposal_of_before_the_registration_is_refused(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """No governor of ours takes one, so that only its event is left to tell: as if another one had."""
    d = town.make()
    governor = contract_at(town.w3, "ModelGovernor", d.governor)
    topic = HexBytes(governor.events.ProposalCreated().topic)
    made, get_logs = creations(town.w3, d)["ModelGovernor"], town.w3.eth.get_logs
    place = {"blockNumber": made.block + 1, "logIndex": 99, "transactionIndex": 0}
    event = {"address": d.governor, "topics": [topic], "data": HexBytes(b""), **place}
    event |= {"blockHash": HexBytes(bytes(32)), "transactionHash": HexBytes(bytes(32))}

    def logs(wanted: FilterParams) -> list[Any]:
        return [*get_logs(wanted), *([event] if d.governor in wanted["address"] else [])]

    monkeypatch.setattr(town.w3.eth, "get_logs", logs)
    with pytest.raises(GenesisRefused, match="ModelGovernor said ProposalCreated"):
        check_genesis(town.w3, d)


@pytest.mark.parametrize("limit", [1, 100])
def test_a_node_that_gives_few_blocks_at_a_time_is_enough(town: Town, limit: int) -> None:
    d = town.make(Tampered(before=lambda town, _: town.chain.mine(150)))
    rpc = Limited(town.chain.handle, limit)
    assert check_genesis(connect_devnet(cast(Any, rpc)), d) == check_genesis(town.w3, d)
    assert limit // 2 <= rpc.widest < max(last - first for first, last in rpc.asked)
    assert min(first for first, _ in rpc.asked) == first_block(town.w3, d)
    assert max(last for _, last in rpc.asked) == d.block


def test_a_round_that_is_over_at_the_registration_is_its_makers(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, only the time between the pool's making and its deadline was asked for."""
    monkeypatch.setattr(rules, "PRIVATE_CHAINS", frozenset())
    chain = town.chain

    def late(town: Town, d: Deployment) -> None:
        chain.increase_time(2 * 86_400)
        chain.mine()

    def short(p: GenesisParams) -> GenesisParams:
        return replace(p, funding_seconds=2 * 86_400 + 3_600)

    check_genesis(town.w3, town.make(Tampered(params=short)))
    with pytest.raises(GenesisRefused, match="seconds after the registration"):
        check_genesis(town.w3, town.make(Tampered(params=short, before=late)))


def test_the_first_block_is_before_everything_that_was_said(town: Town) -> None:
    d = town.make()
    made = [one.block for name, one in creations(town.w3, d).items() if name != "ModelRegistry"]
    assert first_block(town.w3, d) == min(made) < d.block


def test_terms_are_refused_before_anything_is_deployed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "PRIVATE_CHAINS", frozenset())
    names, block = [k.address for k in town.keys], town.w3.eth.block_number
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"voting_period": 30, "late_quorum_extension": 30}, "voting_period is 30"),
        ({"threshold": 3}, "none could be punished"),
    )
    for changes, said in cases:
        with pytest.raises(GenesisRefused, match=said):
            deploy_model(town.w3, town.deployer, "m", "M", names, replace(SOUND, **changes))
    with pytest.raises(GenesisRefused, match="is no name"):
        deploy_model(town.w3, town.deployer, "m" * 32, "M", names)
    assert town.w3.eth.block_number == block


def test_a_genesis_is_checked_once_and_another_one_anew(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    d, asked = town.make(), []
    monkeypatch.setattr(remembered, "check_genesis", lambda w3, d: asked.append(check_genesis(w3, d)))
    for _ in range(2):
        check_once(town.w3, d, tmp_path / "home")
    assert len(asked) == 1
    for other in (replace(d, token=d.timelock), replace(d, block=d.block - 1)):
        for _ in range(2):  # what was refused is not remembered as sound
            with pytest.raises(GenesisRefused):
                check_once(town.w3, other, tmp_path / "home")
    check_once(town.w3, d, tmp_path / "home")
    assert len(asked) == 1
