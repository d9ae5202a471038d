"""No tampered or infeasible genesis passes; a sound one does, whatever was voted since."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.chain.connection import contract_at
from contracts.chain.deployment import Deployment
from contracts.genesis import terms as rules
from contracts.genesis.check import check_genesis
from contracts.genesis.refused import GenesisRefused
from contracts.genesis.terms import check_terms
from tests.contracts.bindings.deployed_model import refused
from tests.contracts.genesis.left_behind import STATE
from tests.contracts.genesis.made import MADE, TOLD
from tests.contracts.genesis.maker import SOUND, Tampered, Town
from tests.contracts.genesis.terms import TERMS, on
from tests.holds import Threat, holds

pytestmark = pytest.mark.integration

SAMPLE = (
    "votes of a second",
    "revenue of half a year",
    "all verifiers are a quorum",
    "a floor above all that can be minted",
)
"""Terms that are deployed here; the bench deploys all."""


@pytest.fixture(scope="module")
def town() -> Town:
    made = Town()
    assert made.other
    return made


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain is one that strangers reach."""
    monkeypatch.setattr(rules, "PRIVATE_CHAINS", frozenset())


def refuses(town: Town, tampered: Tampered, said: str) -> None:
    with pytest.raises(GenesisRefused, match=said):
        check_genesis(town.w3, town.make(tampered))


@pytest.mark.usefixtures("public")
def test_a_sound_genesis_passes(town: Town) -> None:
    found = check_genesis(town.w3, town.make())
    assert found.params == replace(
        SOUND,
        funding_currency=town.coin,
        budget=SOUND.distributor_budget(),
        funding_seconds=found.params.funding_seconds,
    )
    assert found.verifiers == tuple(k.address for k in town.keys)
    assert check_genesis(town.w3, town.make(Tampered(params=lambda p: replace(p, funding_currency="")))).symbol == "SND"


def test_there_are_sixty_kinds_or_more() -> None:
    assert len(TERMS) + len(STATE) + len(MADE) + len(TOLD) >= 60


@holds(
    "Genesis terms that make a promise impossible are refused",
    by="contracts/genesis/terms.py:check_terms",
    against=Threat.TAKEOVER,
)
@pytest.mark.parametrize("kind", TERMS)
def test_terms_that_keep_no_promise_are_refused(kind: str) -> None:
    said, fields = TERMS[kind]
    with pytest.raises(GenesisRefused, match=said):
        check_terms(replace(SOUND, funding_currency="0x" + "11" * 20, **fields), ["a", "b", "c"], 1)


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("kind", SAMPLE)
def test_they_are_read_from_what_was_deployed(kind: str, town: Town) -> None:
    said, fields = TERMS[kind]
    refuses(town, on(fields), said)


@holds(
    "Before the registration nothing happened but the hand-over",
    by="contracts/genesis/powers.py:events_before",
    against=Threat.TAKEOVER,
)
@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("kind", STATE)
def test_what_a_deployer_left_behind_is_found(kind: str, town: Town) -> None:
    said, tampered = STATE[kind]
    refuses(town, tampered, said)


@holds(
    "Each contract was created by our code with the stated arguments",
    by="contracts/genesis/creation.py:creations",
    against=Threat.TAKEOVER,
)
@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("kind", MADE)
def test_contracts_that_were_made_otherwise_are_refused(kind: str, town: Town) -> None:
    said, tampered = MADE[kind]
    refuses(town, tampered, said)


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("kind", TOLD)
def test_a_deployment_that_says_something_else_is_refused(kind: str, town: Town) -> None:
    said, tampered = TOLD[kind]
    refuses(town, tampered, said)


def _meanwhile(town: Town, d: Deployment) -> None:
    """What any stranger may send between a contract's making and the registration."""
    token, governor = contract_at(town.w3, "ModelToken", d.token), contract_at(town.w3, "ModelGovernor", d.governor)
    pool = contract_at(town.w3, "CapitalPool", d.pool)
    registry = contract_at(town.w3, "VerifierRegistry", d.verifier_registry)
    ballot = (1, 1, town.rival.address, b"no signature")
    for call in (
        token.functions.transfer(town.deployer.address, 0),
        token.functions.approve(town.deployer.address, 1),
        token.functions.delegate(town.rival.address),
        governor.functions.relayVotes([ballot]),
    ):
        town.act(call, town.rival)
    town.act(registry.functions.stakeNode(), town.rival, registry.functions.nodeStakeStep().call())
    with refused("ModelGovernorNobodyHolds"):  # what nobody would be shown
        town.act(governor.functions.propose([d.token], [0], [b""], "early"), town.rival)
    coin = contract_at(town.w3, "ModelToken", town.coin)
    town.act(coin.functions.transfer(d.pool, 5))
    town.act(pool.functions.recoverSurplus(town.coin), town.rival)


@pytest.mark.usefixtures("public")
def test_what_strangers_may_do_meanwhile_is_no_alarm(town: Town) -> None:
    """Else anybody had any launch refused for ever, for the price of a transfer of nothing."""
    assert check_genesis(town.w3, town.make(Tampered(before=_meanwhile))).symbol == "SND"
