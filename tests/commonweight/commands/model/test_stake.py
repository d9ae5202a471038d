"""Staking and unstaking as a node, from the command line, against a chain over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_account import Account

from commonweight.commands.model.held import _fields, _line
from commonweight.commands.model.unstake import _pay_out
from commonweight.keystore import write_keystore
from commonweight.standing.departures import StakeLocked
from contracts.bindings.held_money import HeldItem
from contracts.bindings.node_stakes import NodeStakes
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect, send
from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer
from contracts.genesis.deploy import deploy_model
from contracts.genesis.params import GenesisParams
from tests.commonweight.conftest import PASSPHRASE, Command, Said
from tests.contracts.bindings.deployed_model import PARAMS as TERMS
from tests.contracts.bindings.deployed_model import DeployedModel
from tests.contracts.bindings.test_held_money import dispute

pytestmark = pytest.mark.integration

NODE, VERIFIER, WALLET = (Account.from_key(bytes([n]) * 32) for n in (1, 2, 3))
TENTH = 10**17
DELAY = 600


@dataclass(frozen=True)
class Setting:
    """A chain with a model, and the command as the node calls it."""

    chain: Devnet
    stakes: NodeStakes
    command: Command
    reached: tuple[object, ...]

    def __call__(self, verb: str, *options: object) -> Said:
        return self.command("model", verb, *self.reached, *options)

    def held(self) -> tuple[int, int]:
        """Stake and pending withdrawal."""
        return self.stakes.stake_of(NODE.address), self.stakes.pending_of(NODE.address).amount


@pytest.fixture
def model(commonweight: Command, tmp_path: Path) -> Iterator[Setting]:
    chain = Devnet([NODE.address, VERIFIER.address])
    with DevnetServer(chain, "127.0.0.1", 0, 60.0) as served:
        w3 = connect(served.url)
        params = GenesisParams(threshold=1, challenge_window=60, node_withdrawal_delay=DELAY)
        deployment = deploy_model(w3, NODE, "Shared", "SH", [VERIFIER.address], params)
        key, path = tmp_path / "node.json", tmp_path / "deployment.json"
        write_keystore(key, bytes(NODE.key), PASSPHRASE, iterations=1)
        path.write_text(deployment.to_json())
        reached = ("--keystore", key, "--deployment", path, "--rpc-url", served.url)
        yield Setting(chain, NodeStakes(w3, deployment.verifier_registry), commonweight, reached)


def test_a_node_stakes_asks_for_a_part_waits_and_is_paid(model: Setting) -> None:
    staked = model("stake", "--node", "--wei", 9 * TENTH)
    has = f"{NODE.address} has 0.9 coins at stake as a node\n"
    assert (staked.status, staked.out) == (0, f"staked 0.9 coins; {has}")
    assert model.held() == (9 * TENTH, 0)
    asked = model("unstake", "--wei", 3 * TENTH)
    assert asked.status == 0, asked.err
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    waits = "0.3 coins are locked until 2 more epochs are final"
    settled = rf"{waits} and settle all rounds that opened before {time}"
    locked = rf"{settled}, and at the latest until {time}, plus the time for which epochs are disputed before that"
    assert re.match(rf"{locked}; verifiers can take them until then", asked.out), asked.out
    assert model.held() == (6 * TENTH, 3 * TENTH)
    early = model("unstake", "--to", WALLET.address)
    assert (early.status, early.out) == (1, "")
    said = re.match(rf"stake-locked: {locked}, (\d+) seconds from now\n", early.err)
    assert said is not None, early.err
    assert 0 < int(said[1]) <= DELAY
    model.chain.increase_time(DELAY + 1)
    paid = model("unstake", "--to", WALLET.address)
    assert (paid.status, paid.out) == (0, f"paid 0.3 coins to {WALLET.address}\n")
    assert model.stakes.w3.eth.get_balance(WALLET.address) == 3 * TENTH
    assert model.held() == (6 * TENTH, 0)


def test_unstake_without_an_amount_pays_everything_to_the_key(model: Setting) -> None:
    (staked,) = model("stake", "--node", "--wei", 9 * TENTH, "--json").objects
    assert staked == {"account": NODE.address, "party": "node", "added": str(9 * TENTH), "stake": str(9 * TENTH)}
    (locked,) = model("unstake", "--json").objects
    assert (locked["state"], locked["wei"], locked["epochs_to_wait"]) == ("locked", str(9 * TENTH), 2)
    assert model.held() == (0, 9 * TENTH)
    early = model("unstake", "--json")
    assert (early.status, early.out, early.complaint["error"]) == (1, "", "stake-locked")
    model.chain.increase_time(DELAY + 1)
    assert model("unstake").out == f"paid 0.9 coins to {NODE.address}\n"
    nothing = model("unstake")
    assert (nothing.status, nothing.out) == (1, "")
    assert re.match(r"contract-rejected: .* \[NodeStakesStakeTooSmall\(", nothing.err), nothing.err


def test_nothing_held_is_a_line_for_people_and_none_for_scripts(model: Setting) -> None:
    asked = ("model", "held", *model.reached[2:])
    assert model.command(*asked).out == "no stake and no bond is held\n"
    assert (model.command(*asked, "--json").status, model.command(*asked, "--json").out) == (0, "")


def test_who_is_no_verifier_stakes_only_as_a_node(model: Setting) -> None:
    said = model("stake", "--wei", 900)
    assert said.status == 1
    assert re.match(r"contract-rejected: .* \[VerifierSetNotVerifier\(", said.err), said.err
    assert model.held() == (0, 0)


def test_a_verifier_that_leaves_has_its_stake_after_the_delay(model: Setting, tmp_path: Path) -> None:
    key = tmp_path / "verifier.json"
    write_keystore(key, bytes(VERIFIER.key), PASSPHRASE, iterations=1)
    registry = VerifierRegistry(model.stakes.w3, model.stakes.address)
    send(model.stakes.w3, VERIFIER, registry.stake(), value=10**17)
    seated = model("resign", "--keystore", key, "--show")
    assert (seated.status, registry.verifiers()) == (0, [VERIFIER.address])
    assert seated.out.startswith("The verifier has its seat, and 0.1 coins at stake")
    given_up = model("resign", "--keystore", key).out
    assert given_up.startswith("The verifier gave up its seat. 0.1 coins are free when 2 more epochs that settle")
    assert "Run this command again" in given_up
    assert registry.verifiers() == []
    locked = model("resign", "--keystore", key)
    assert (locked.status, locked.err.split(":")[0]) == (1, "stake-locked")
    assert re.search(r"at the latest at \d{4}-\d\d-\d\d .* UTC \(in \d+ ", locked.err), locked.err
    waiting = json.loads(model("resign", "--keystore", key, "--show", "--json").out)
    assert (waiting["state"], waiting["stake"], waiting["epochs_to_wait"]) == ("waiting", str(10**17), 2)
    model.chain.increase_time(DELAY + 1)
    model.chain.mine()
    assert "Run this command again to be paid" in model("resign", "--keystore", key, "--show").out
    paid = model("resign", "--keystore", key)
    assert (paid.status, registry.stake_of(VERIFIER.address)) == (0, 0), paid.err
    assert paid.out == f"paid 0.1 coins to {VERIFIER.address}\n"
    gone = model("resign", "--keystore", key)
    assert (gone.status, gone.err.split(":")[0]) == (1, "no-stake")


def test_unstake_names_the_time_that_the_contract_does() -> None:
    """Before, it named one that was past, a second from now: disputes make a withdrawal later."""
    model = DeployedModel.fresh()
    stakes, node = NodeStakes(model.w3, model.registry.address), model.rival
    send(model.w3, node, stakes.stake(), value=700)
    send(model.w3, node, stakes.request_withdrawal(700))
    for attempt in range(2):
        dispute(model, 1, attempt)
        model.wait(TERMS.dispute_limit)
        model.send(model.registry.lapse(1))
    pending = stakes.pending_of(node.address)
    assert model.now() > pending.available_at + 500
    with pytest.raises(StakeLocked) as caught:
        _pay_out(stakes, node, node.address, pending)
    said = re.search(r", (\d+) seconds from now$", str(caught.value))
    assert said is not None
    model.wait(int(said[1]) - 10)
    with pytest.raises(StakeLocked):
        _pay_out(stakes, node, node.address, pending)
    model.wait(10)
    _pay_out(stakes, node, node.address, pending)
    assert stakes.pending_of(node.address).amount == 0


def test_held_names_no_time_before_votes_exist() -> None:
    item = HeldItem("0x" + "ab" * 32, NODE.address, 5, 1_000, False)
    waits = f"0.000000000000000005 coins of {NODE.address} on {item.ground}: burnt"
    assert _line(item, None) == f"{waits} once votes enough for a decision exist and have for as long as one takes"
    assert _line(item, 86_400) == f"{waits} from 1970-01-02 00:00:00 UTC on"
    assert (_fields(item)["amount"], _fields(item)["account"]) == ("5", NODE.address)
    assert "back to it from" in _line(HeldItem(item.ground, NODE.address, 5, 1_000, True), 86_400)
