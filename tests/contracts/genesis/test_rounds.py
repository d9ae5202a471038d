"""Rounds after the first, and who could outvote their buyers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3

from contracts.bindings.capital_pool import PoolStatus
from contracts.bindings.currency import Currency
from contracts.bindings.governor import Action
from contracts.chain.connection import connect_devnet, contract_at, send
from contracts.genesis import terms as rules
from contracts.genesis.deploy import create, open_round
from contracts.genesis.params import GenesisParams, round_terms
from contracts.genesis.refused import GenesisRefused
from contracts.genesis.rounds import check_minters, check_pool, check_round, minters
from contracts.ids import as_address
from tests.contracts.bindings.deployed_model import PARAMS, DeployedModel
from tests.contracts.currencies import deploy_currency
from tests.holds import Threat, holds
from tests.limited_rpc import REFUSALS, refused

pytestmark = pytest.mark.integration


@pytest.fixture
def model() -> DeployedModel:
    made = DeployedModel.fresh()
    made.send(made.claim(made.finalized(1), 0))
    made.wait(2)
    made.carry(Action.of(made.token.set_budget(made.deployment.distributor, 10**6)), "room for a round")
    return made


def terms(model: DeployedModel, **changes: Any) -> GenesisParams:
    coin = deploy_currency(model.w3, model.deployer, "PermitCurrency", 100_000).address
    sold = replace(
        PARAMS,
        funding_currency=coin,
        funding_soft_cap=1_000,
        funding_hard_cap=2_000,
        funding_seconds=86_400,
        funding_token_units=3,
        funding_paid_units=2,
    )
    return replace(sold, **changes)


def test_a_rounds_times_are_those_that_the_first_one_may_have(
    model: DeployedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, a later round could keep its money for ever."""
    for changes, said in (
        ({"funding_settlement": 2**63}, "funding_settlement is"),
        ({"funding_seconds": 366 * 86_400}, "funding_seconds is"),
        ({"funding_settlement": 86_400}, "money is released"),
    ):
        with pytest.raises(GenesisRefused, match=said):
            open_round(model.w3, model.rival, model.deployment, terms(model, **changes))
    pool, creation = open_round(model.w3, model.rival, model.deployment, terms(model, funding_seconds=60))
    monkeypatch.setattr(rules, "PRIVATE_CHAINS", frozenset())
    with pytest.raises(GenesisRefused, match="funding_seconds is"):
        check_round(model.w3, model.deployment, pool, creation)


@holds(
    "A funding round takes no money while a key may mint or owes tokens",
    by="contracts/genesis/rounds.py:check_minters",
    against=Threat.LOST_FUNDS,
)
def test_no_round_is_paid_into_while_a_key_may_mint_or_owes(model: DeployedModel) -> None:
    """Before, a grant of before the round was withdrawn, and its reserve outvoted buyers who could not leave."""
    d, thief = model.deployment, model.rival
    made = open_round(model.w3, thief, d, terms(model))
    model.carry(Action.of(model.token.set_budget(made[0], 3_000)), "sell")
    check_round(model.w3, d, *made)
    model.carry(Action.of(model.token.set_budget(thief.address, 10**25)), "a grant")
    with pytest.raises(GenesisRefused, match=r"no contract of the model's, .* could outvote"):
        check_round(model.w3, d, *made)
    said = r"others may still mint 1\d*, and this round sells"
    send(model.w3, thief, model.token.reserve(10**25))
    model.carry(Action.of(model.token.set_budget(thief.address, 0)), "the grant is withdrawn")
    assert (model.token.budget_of(thief.address), model.token.total_supply()) == (0, 900)
    with pytest.raises(GenesisRefused, match=said):
        check_round(model.w3, d, *made)
    another = replace(terms(model), funding_currency=d.splitter)
    block = model.w3.eth.block_number
    with pytest.raises(GenesisRefused, match=said):
        open_round(model.w3, thief, d, another)
    assert model.w3.eth.block_number == block  # refused before anything is deployed
    check_pool(model.w3, d, *made)  # who paid in before finds it, and leaves


def test_another_round_may_not_outvote_this_ones_buyers(model: DeployedModel) -> None:
    """A round in a junk coin, bought for a unit by whoever voted for it, is a key's reserve by another name."""
    d = model.deployment
    made = open_round(model.w3, model.rival, d, terms(model))
    cheap = terms(model, funding_soft_cap=1, funding_hard_cap=1, funding_token_units=10**6, funding_paid_units=1)
    other, _ = open_round(model.w3, model.rival, d, cheap)
    model.carry(Action.of(model.token.set_budget(made[0], 3_000)), "sell")
    model.carry(Action.of(model.token.set_budget(other, 1_499)), "a small one beside it")
    check_round(model.w3, d, *made)
    assert {one.account: (one.budget, one.round) for one in minters(model.w3, d)} == {
        made[0]: (3_000, PoolStatus.OPEN),
        other: (1_499, PoolStatus.OPEN),
    }
    model.carry(Action.of(model.token.set_budget(other, 10**6)), "a large one")
    money = Currency(model.w3, as_address(cheap.funding_currency))
    model.send(money.approve(other, 1))
    model.send(contract_at(model.w3, "CapitalPool", other).functions.deposit(1))
    model.carry(Action.of(model.token.set_budget(other, 0)), "and no more")
    assert model.token.reserved_of(other) == 10**6
    with pytest.raises(GenesisRefused, match="others may still mint 1000000, and this round sells 1500"):
        check_round(model.w3, d, *made)
    check_minters(model.w3, d)  # nobody but rounds
    model.wait(86_401)  # it sold a unit, at its hard cap: it has succeeded, and owes
    assert [one.outstanding for one in minters(model.w3, d)] == [10**6]


def test_dust_that_was_reserved_once_ends_no_funding(model: DeployedModel) -> None:
    """No vote takes a reserve back: a former minter of five units refused every later round for ever."""
    d, former = model.deployment, model.rival
    model.carry(Action.of(model.token.set_budget(former.address, 5)), "a grant of five units")
    send(model.w3, former, model.token.reserve(1))
    model.carry(Action.of(model.token.set_budget(former.address, 0)), "the grant is withdrawn")
    made = open_round(model.w3, model.deployer, d, terms(model))
    check_round(model.w3, d, *made)
    assert [one.in_words() for one in minters(model.w3, d)] == [
        f"an account that is no contract of the model's, {former.address} may mint 0 and owes 1"
    ]


@pytest.mark.parametrize("topics", [1, 3, 4])
def test_what_a_former_minter_logs_ends_no_funding(model: DeployedModel, topics: int) -> None:
    """Its events are its own: one by the name of a pool's first, and not in its form, refused every later round, and
    ended each command that asks who may mint."""
    d, w3 = model.deployment, model.w3
    topic, token = contract_at(w3, "CapitalPool", d.token).events.RoleGranted().topic, d.token[2:].lower()
    logs = f"{'5f' * (topics - 1)}7f{topic[2:]}60205f{0xA0 + topics:x}"
    begins = f"3660{4 + len(logs) // 2 + 1:02x}57{logs}00"
    code = bytes.fromhex(f"{begins}5b365f5f375f5f365f5f73{token}5af100")
    former = made_of(w3, model.rival, code)
    model.carry(Action.of(model.token.set_budget(former, 5)), "a grant of five units")
    sent(w3, model.rival, former, model.token.reserve(1)._encode_transaction_data())
    sent(w3, model.rival, former, "0x")
    model.carry(Action.of(model.token.set_budget(former, 0)), "the grant is withdrawn")
    made = open_round(w3, model.deployer, d, terms(model))
    check_round(w3, d, *made)
    assert [(one.account, one.reserved, one.round) for one in minters(w3, d)] == [(former, 1, None)]
    refusing = connect_devnet(cast(Any, Refusing(model.chain, former)))
    assert minters(refusing, d) == minters(w3, d)


class Refusing:
    """A chain node that does not give the logs of an account, however few blocks are asked for: they are too many."""

    def __init__(self, chain: Any, account: str) -> None:
        self._chain, self._account = chain, account

    def handle(self, request: Any) -> Any:
        if request["method"] == "eth_getLogs" and self._account in request["params"][0]["address"]:
            return refused(request, REFUSALS["-32005"])
        return self._chain.handle(request)


def made_of(w3: Web3, account: LocalAccount, code: bytes) -> str:
    """Address of a contract of this code."""
    init = bytes.fromhex(f"60{len(code):02x}8060095f395ff3")
    return str(sent(w3, account, None, "0x" + (init + code).hex())["contractAddress"])


def sent(w3: Web3, account: LocalAccount, to: str | None, data: str) -> Any:
    """The receipt of a transaction that must be done."""
    fields: Any = {
        "data": data,
        "gas": 500_000,
        "gasPrice": 2 * w3.eth.gas_price,
        "chainId": w3.eth.chain_id,
        "value": 0,
        "nonce": w3.eth.get_transaction_count(account.address),
        **({} if to is None else {"to": to}),
    }
    raw = account.sign_transaction(fields).raw_transaction
    receipt = w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(raw))
    assert receipt["status"] == 1
    return receipt


def test_a_pool_for_another_treasury_is_a_foreign_minter(model: DeployedModel) -> None:
    """Its code is ours, and its money is its maker's."""
    d, p = model.deployment, terms(model)
    deadline = model.now() + 86_400
    receipt = create(model.w3, model.rival, "CapitalPool", d.token, model.rival.address, round_terms(p, deadline))
    model.carry(Action.of(model.token.set_budget(str(receipt["contractAddress"]), 5)), "looks like ours")
    with pytest.raises(GenesisRefused, match="could outvote all who pay in"):
        check_minters(model.w3, d)
