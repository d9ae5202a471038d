"""A funding round and a distribution from the command line, against a chain over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction

from commonweight.commands.holder import revenue
from commonweight.keystore import write_keystore
from commonweight.model.holders import EventsMissing, read_holders
from contracts.bindings.currency import Currency
from contracts.bindings.governor import Action, ModelGovernor
from contracts.bindings.token import ModelToken
from contracts.chain.connection import connect, send
from contracts.chain.deployment import Deployment
from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer
from contracts.genesis.deploy import deploy_model
from contracts.genesis.params import GenesisParams
from contracts.ids import Address
from tests.commonweight.conftest import PASSPHRASE, Command, Said
from tests.contracts.currencies import deploy_currency

pytestmark = pytest.mark.integration

PAYER = Account.from_key(bytes([1]) * 32)
TIME, AGE, SETTLEMENT = 1_000, 5, GenesisParams().funding_settlement


@dataclass(frozen=True)
class Setting:
    """A model with a funding round, and the command as the payer, who has a million units, calls it."""

    chain: Devnet
    deployment: Deployment
    money: Currency
    token: ModelToken
    folder: Path
    command: Command
    url: str

    def __call__(self, group: str, verb: str, *options: object, keyed: bool = True) -> Said:
        reached = ("--deployment", self.folder / "deployment.json", "--rpc-url", self.url)
        key = () if verb == "show" or not keyed else ("--keystore", self.folder / "payer.json")
        return self.command(group, verb, *options, *reached, *key)

    def money_of(self, account: Address) -> int:
        return self.money.balance_of(account)

    def wait(self, seconds: int) -> None:
        self.chain.increase_time(seconds)
        self.chain.mine()


@pytest.fixture
def model(commonweight: Command, tmp_path: Path) -> Iterator[Setting]:
    chain = Devnet([PAYER.address])
    with DevnetServer(chain, "127.0.0.1", 0, 60.0) as served:
        w3 = connect(served.url)
        coin = deploy_currency(w3, PAYER, "PermitCurrency", 10**6)
        params = GenesisParams(
            threshold=1,
            voting_delay=1,
            voting_period=600,
            timelock_delay=1,
            late_quorum_extension=0,
            quorum_floor=10**21,
            revenue_window=AGE,
            funding_currency=coin.address,
            funding_soft_cap=500,
            funding_hard_cap=2_000,
            funding_seconds=TIME,
            funding_token_units=10**18,
        )
        deployment = deploy_model(w3, PAYER, "Shared", "SH", [PAYER.address], params)
        write_keystore(tmp_path / "payer.json", bytes(PAYER.key), PASSPHRASE, iterations=1)
        (tmp_path / "deployment.json").write_text(deployment.to_json())
        money, token = Currency(w3, coin.address), ModelToken(w3, deployment.token)
        yield Setting(chain, deployment, money, token, tmp_path, commonweight, served.url)


def test_deposits_become_tokens_that_earn(model: Setting) -> None:
    paid = "0.0000000000000003 C (300 units)"
    assert model("fund", "deposit", "--amount", 300).out == (
        f"paid in {paid}; {paid} in all buy 300 SH if the round succeeds\n"
    )
    assert model("fund", "deposit", "--amount", 5_000, "--approve").out == (
        "paid in 0.0000000000000017 C (1700 units); 0.000000000000002 C (2000 units) in all buy 2,000 SH if the round "
        "succeeds\n"
    )
    model.wait(TIME)
    shown = json.loads(model("fund", "show", "--json").out)
    assert (shown["state"], shown["deposited"], shown["held"]) == ("settling", "2000", "2000")
    assert shown["price"] == {"token_units": str(10**18), "paid_units": "1"}
    deposit = json.loads(model("fund", "show", "--json", "--account", PAYER.address).out.splitlines()[1])
    assert (deposit["state"], deposit["units"], deposit["tokens"]) == ("may-choose", "2000", str(2_000 * 10**18))
    assert (shown["by_deployer"], shown["release_at"] - shown["deadline"]) == ("2000", SETTLEMENT)
    assert "paid in 0.000000000000002 C (2000 units) of this: 100 %" in model("fund", "show").out
    assert model("fund", "claim", PAYER.address).out == f"minted 2,000 SH to {PAYER.address}\n"
    assert model.token.balance_of(PAYER.address) == 2_000 * 10**18
    check_holders(model, 2_000 * 10**18)
    again = model("fund", "claim", PAYER.address)
    assert (again.status, again.out) == (1, "")
    assert re.match(r"contract-rejected: .* \[CapitalPoolNothingDeposited\(", again.err), again.err
    assert json.loads(model("fund", "show", "--json").out)["by_deployer"] == "2000"
    model.wait(AGE + 1)
    assert model("revenue", "release", PAYER.address).out == f"no share is due to {PAYER.address}\n"
    for _ in range(2):
        assert model("revenue", "distribute", "--currency", model.money.address, "--amount", 70).status == 0
    before = model.money_of(PAYER.address)
    released = model("revenue", "release", PAYER.address)
    paid = "0.00000000000000014 C (140 units)"
    assert released.out == f"paid {paid} to {PAYER.address}, of distributions 1, 2\n"
    assert model.money_of(PAYER.address) == before + 140


def vote(model: Setting, *calls: ContractFunction) -> None:
    """Who bought a first round passes calls."""
    w3, d, actions = connect(model.url), model.deployment, [Action.of(call) for call in calls]
    governor = ModelGovernor(w3, d.governor)
    model.wait(1)
    send(w3, PAYER, governor.propose(actions, "a grant"))
    proposal = governor.proposal_id(actions, "a grant")
    model.wait(3)
    send(w3, PAYER, governor.cast_vote(proposal, 1))
    for step, seconds in ((governor.queue, 601), (governor.execute, 2)):
        model.wait(seconds)
        send(w3, PAYER, step(actions, "a grant"))


def test_a_key_that_may_mint_is_named_and_no_deposit_is_taken(model: Setting) -> None:
    assert model("fund", "deposit", "--amount", 2_000).status == 0
    model.wait(TIME)
    assert model("fund", "claim", PAYER.address).status == 0
    terms = {"funding_currency": model.money.address, "funding_soft_cap": 10, "funding_hard_cap": 20}
    made = json.loads(model("fund", "open", "--params", json.dumps(terms), "--json").out)["pool"]
    key = Account.create().address
    vote(model, model.token.set_budget(model.deployment.distributor, 10**26), model.token.set_budget(key, 7))
    refused = model("fund", "deposit", "--amount", 5, "--pool", made)
    foreign = f"an account that is no contract of the model's, {key} may mint 7 and owes 0"
    assert (refused.status, refused.out) == (1, "")
    assert refused.err == f"genesis-refused: {foreign}: it could outvote all who pay in\n"
    said = f"warning standing-minter: {foreign}: no vote can take owed tokens back"
    assert said in model("fund", "show").out
    assert json.loads(model("fund", "show", "--json").out)["warnings"] == [said]
    assert said in model("model", "check", keyed=False).out
    again = model("fund", "open", "--params", json.dumps(terms))
    assert again.err == refused.err


def test_model_check_says_price_share_and_who_votes(model: Setting) -> None:
    told = model("model", "check", keyed=False)
    assert told.status == 0, told.err
    sold = f"at 0.000000000000000001 C (1 units) of {model.money.address} for 1 tokens"
    assert f"sells at most 2,000 tokens, 0.0002 % of the cap and 200 % of what a decision takes, {sold}\n" in told.out
    assert "no account has more than a third of the votes\n" in told.out
    assert model("fund", "deposit", "--amount", 600).status == 0
    model.wait(TIME)
    assert model("fund", "claim", PAYER.address).status == 0
    assert f"{PAYER.address} has 600 votes, 100 % of all\n" in model("model", "check", keyed=False).out
    found = json.loads(model("model", "check", "--json", keyed=False).out)
    assert (found["large_voters"], found["warnings"]) == ({PAYER.address: str(600 * 10**18)}, [])


def check_holders(model: Setting, units: int) -> None:
    """By the token's events, without a server; a node that leaves events out is found."""
    reached = ("--deployment", model.folder / "deployment.json", "--rpc-url", model.url)
    whole, holder = map(json.loads, model.command("holders", *reached, "--json").out.splitlines())
    assert (whole["supply"], whole["count"], whole["currency"]) == (str(units), 1, "SH")
    assert holder == {
        "about": "holder",
        "account": PAYER.address,
        "units": str(units),
        "votes": str(units),
        "share_ppm": 10**6,
        "delegate": PAYER.address,
    }
    assert model.command("holders", *reached).out.startswith(f"{PAYER.address}  2,000 SH (100.00 %), votes 2,000 SH\n")
    late = Deployment.from_mapping(json.loads((model.folder / "deployment.json").read_text()) | {"block": 10**6})
    with pytest.raises(EventsMissing):
        read_holders(connect(model.url), late)


def test_a_failed_round_pays_back(model: Setting) -> None:
    assert model("fund", "deposit", "--amount", 499).status == 0
    told = model("fund", "show", "--account", PAYER.address).out
    assert told.startswith("open: The round is open until 20"), told
    for line in (
        "paid in    0.000000000000000499 C (499 units); the round needs 0.0000000000000005 C (500 units)",
        "buys 1 SH\n",
        f"currency   {model.money.address}\n",
        "The account paid in 0.000000000000000499 C (499 units), and can take the deposit back",
    ):
        assert line in told, told
    early = model("fund", "refund", PAYER.address)
    assert (early.status, early.out) == (1, "")
    assert re.match(r"contract-rejected: .* \[CapitalPoolWrongStatus\(", early.err), early.err
    model.wait(TIME)
    back = f"paid 0.000000000000000499 C (499 units) back to {PAYER.address}\n"
    assert model("fund", "refund", PAYER.address).out == back
    assert model.money_of(PAYER.address) == 10**6


def test_a_model_without_a_round_says_so(model: Setting) -> None:
    w3 = connect(model.url)
    plain = deploy_model(w3, PAYER, "Plain", "PL", [PAYER.address], GenesisParams(threshold=1))
    (model.folder / "deployment.json").write_text(plain.to_json())
    said = model("fund", "show")
    assert said.status == 1
    assert said.err.startswith("no-funding-round: the model Plain was deployed without a funding round"), said.err


def test_a_buyer_thinks_better_of_it(model: Setting) -> None:
    """While the round is open, and after it until the money may go."""
    before = model.money_of(PAYER.address)
    model("fund", "deposit", "--amount", 300)
    (back,) = model("fund", "withdraw", "--json").objects
    assert back == {
        "account": PAYER.address,
        "pool": model.deployment.pool,
        "currency": model.money.address,
        "units": "300",
    }
    (paid,) = model("fund", "deposit", "--amount", 2_000, "--json").objects
    assert (paid["units"], paid["deposit"], paid["tokens"]) == ("2000", "2000", str(2_000 * 10**18))
    model.wait(TIME)
    assert model("fund", "leave").out == f"paid 0.000000000000002 C (2000 units) back to {PAYER.address}\n"
    assert model.money_of(PAYER.address) == before
    assert json.loads(model("fund", "show", "--json").out)["state"] == "failed"
    again = model("fund", "leave")
    assert re.match(r"contract-rejected: .* \[CapitalPoolNothingDeposited\(", again.err), again.err


def test_another_round_sells_once_holders_gave_it_a_budget(model: Setting) -> None:
    terms = {"funding_currency": model.money.address, "funding_soft_cap": 10, "funding_hard_cap": 20}
    model.wait(TIME)  # the first round is over, and owes nothing
    made = json.loads(model("fund", "open", "--params", json.dumps(terms), "--json").out)
    pool, creation = made["pool"].split("@")
    assert made["call"] == f"ModelToken.setBudget minter={pool} budget=20"
    later = ("--pool", made["pool"])
    refused = model("fund", "deposit", "--amount", 5, *later)
    assert re.match(r"contract-rejected: .* \[ModelTokenBudgetExceeded\(", refused.err), refused.err
    assert model("fund", "show", *later).out.startswith("unfunded: The round is open until 20")
    token, made_by = model.deployment.token, model.deployment.creations[0]
    foreign = model("fund", "show", "--pool", f"{token}@{made_by}")
    assert foreign.err == "genesis-refused: CapitalPool was made by other code than ours\n"
    foreign = model("fund", "show", "--pool", f"{token}@{creation}")
    assert foreign.err.startswith(f"genesis-refused: transaction {creation} made {pool}, not"), foreign.err
    assert model("fund", "show", "--pool", pool).status == 2
    hasty = model("fund", "open", "--params", json.dumps(terms | {"funding_settlement": 60}))
    assert hasty.err.startswith("genesis-refused: money is released 60 seconds after a round"), hasty.err
    assert model("fund", "open", "--params", "{}").status == 2


def with_a_hostile_currency(model: Setting) -> tuple[Web3, Contract]:
    """The chain, on which all is sold and claimed, and a currency whose transfers obey its maker."""
    model("fund", "deposit", "--amount", 2_000)
    model.wait(TIME)
    model("fund", "claim", PAYER.address)
    model.wait(AGE + 1)
    w3 = connect(model.url)
    hostile = deploy_currency(w3, PAYER, "HostileCurrency", 1_000)
    return w3, hostile


def test_a_currency_that_cannot_be_paid_stops_no_other(model: Setting) -> None:
    """Before, one that refuses its transfer kept every holder from all of its revenue."""
    w3, hostile = with_a_hostile_currency(model)
    for currency in (hostile.address, model.money.address):
        assert model("revenue", "distribute", "--currency", currency, "--amount", 70).status == 0
    send(w3, PAYER, hostile.functions.shrink(model.deployment.splitter, 70))
    shown = model.command(
        "revenue",
        "show",
        PAYER.address,
        "--deployment",
        model.folder / "deployment.json",
        "--rpc-url",
        model.url,
        "--json",
    )
    shares = [json.loads(line) for line in shown.out.splitlines()]
    assert [(s["distribution"], s["currency"], s["state"], s["units"]) for s in shares] == [
        (1, hostile.address, "due", "70"),
        (2, model.money.address, "due", "70"),
    ]
    before = model.money_of(PAYER.address)
    said = model("revenue", "release", PAYER.address, "--json")
    assert (said.status, said.complaint["error"]) == (1, "currency-failed")
    failed, paid = said.objects
    assert (failed["currency"], failed["units"], failed["distributions"]) == (hostile.address, "0", [])
    assert "ERC20InsufficientBalance" in failed["why"]
    assert (paid["currency"], paid["units"], paid["distributions"], paid["why"]) == (
        model.money.address,
        "70",
        [2],
        None,
    )
    assert model.money_of(PAYER.address) == before + 70
    assert model("revenue", "release", PAYER.address, "--currency", model.money.address).out.startswith(
        "no share is due"
    )


def test_a_currency_that_costs_too_much_is_not_paid(model: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its transfer may use all the gas there is, and who asks for a share would pay for it."""
    model("fund", "deposit", "--amount", 2_000)
    model.wait(TIME)
    model("fund", "claim", PAYER.address)
    model.wait(AGE + 1)
    assert model("revenue", "distribute", "--currency", model.money.address, "--amount", 70).status == 0
    monkeypatch.setattr(revenue, "GAS", 1_000)
    said = model("revenue", "release", PAYER.address)
    assert (said.status, said.err.split(":")[0]) == (1, "currency-failed")
    assert f"{model.money.address} cannot be paid: TooDear(" in said.out


def test_a_currency_that_shows_another_cost_first_takes_no_more(
    model: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before: what it took was asked for without a price of gas, and then anew with one; a transfer that tells the two
    apart, or whose maker is quick, used up all that a block has."""
    w3, hostile = with_a_hostile_currency(model)
    assert model("revenue", "distribute", "--currency", hostile.address, "--amount", 70).status == 0
    burner = deploy_code(w3, bytes.fromhex("63005b8d805a035b805a116007575b00"))  # 6,000,000 gas
    blocks: list[int] = []

    def late(*given: Any, **options: Any) -> Any:
        send(w3, PAYER, hostile.functions.arm(burner, b""))
        blocks.append(w3.eth.block_number)
        return send(*given, **options)

    monkeypatch.setattr("contracts.chain.connection.send", late)
    model("revenue", "release", PAYER.address)
    used = [w3.eth.get_block(number)["gasUsed"] for number in range(blocks[0] + 1, w3.eth.block_number + 1)]
    assert 0 < sum(used) <= 2 * revenue.GAS


def deploy_code(w3: Web3, code: bytes) -> str:
    """Address of a contract of this code."""
    init = bytes.fromhex(f"60{len(code):02x}8060095f395ff3")
    fields: Any = {"data": init + code, "gas": 500_000, "gasPrice": 2 * w3.eth.gas_price, "chainId": w3.eth.chain_id}
    made = PAYER.sign_transaction({**fields, "value": 0, "nonce": w3.eth.get_transaction_count(PAYER.address)})
    receipt = w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(made.raw_transaction))
    return str(receipt["contractAddress"])
