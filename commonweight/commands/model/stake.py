"""`commonweight model stake` and `unstake`: coins that a verifier or a node can lose."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.commands.options import DEFAULT_RPC, Keystore, Rpc, read_address
from commonweight.keystore import open_keystore
from commonweight.terminal.console import tell
from contracts.amounts import COINS, amount
from contracts.errors import CommonweightError

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from eth_account.signers.local import LocalAccount

    from commonweight.standing.departures import Departure
    from contracts.bindings.node_stakes import NodeStakes, Withdrawal
    from contracts.bindings.verifier_registry import VerifierRegistry

DeploymentFile = Annotated[Path, typer.Option("--deployment", exists=True, dir_okay=False, help="Deployment file.")]


class StakeLocked(CommonweightError):
    """A stake cannot be paid yet."""

    code = "stake-locked"


class NoStake(CommonweightError):
    """The account has neither a verifier's seat nor a stake."""

    code = "no-stake"


def stake(
    keystore: Keystore,
    deployment: DeploymentFile,
    wei: Annotated[int, typer.Option(help="Stake in wei.")] = 10**18,
    node: Annotated[
        bool,
        typer.Option(
            "--node",
            help="Stake as a node instead of as a verifier: nodes with a stake are audited less, see audit-plan.",
        ),
    ] = False,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Stake as an admitted verifier: without it signatures on payout roots do not count. Or, with --node, as a node."""
    from commonweight.model.known_model import known_model
    from contracts.bindings.node_stakes import NodeStakes
    from contracts.bindings.verifier_registry import VerifierRegistry
    from contracts.chain.connection import send

    found, w3 = known_model(deployment, rpc_url)
    kind = NodeStakes if node else VerifierRegistry
    stakes = kind(w3, found.verifier_registry)
    account, party = open_keystore(keystore), "node" if node else "verifier"
    send(w3, account, stakes.stake(), value=wei)
    whole = stakes.stake_of(account.address)
    said = {"account": account.address, "party": party, "added": str(wei), "stake": str(whole)}
    lines = f"staked {amount(wei, COINS)}; {account.address} has {amount(whole, COINS)} at stake as a {party}"
    tell(said, [lines])


def unstake(
    keystore: Keystore,
    deployment: DeploymentFile,
    wei: Annotated[
        int | None, typer.Option(min=1, help="Wei to withdraw, when nothing is being withdrawn; default: all.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(parser=read_address, metavar="ADDRESS", help="Address that is paid; default: the key's own."),
    ] = None,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Take a node's stake back, in two calls: the first asks for it, and the second pays it out.

    In between two epochs that close after the first call become final, or a long delay passes.
    """
    from commonweight.model.known_model import known_model
    from contracts.bindings.node_stakes import NodeStakes

    account, (found, w3) = open_keystore(keystore), known_model(deployment, rpc_url)
    stakes = NodeStakes(w3, found.verifier_registry)
    pending = stakes.pending_of(account.address)
    if pending.amount:
        _pay_out(stakes, account, to or account.address, pending)
    else:
        _request(stakes, account, stakes.stake_of(account.address) if wei is None else wei)


def resign(
    keystore: Keystore,
    deployment: DeploymentFile,
    show: Annotated[bool, typer.Option("--show", help="Only say where the stake stands, and send nothing.")] = False,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Give up a verifier's seat, and take its stake back: run it again when the stake is free.

    That is when two epochs are final that settle all it said, or after a long delay, and no root that it signed is
    open. No vote is needed. --show says where it stands.
    """
    from commonweight.model.known_model import known_model
    from commonweight.standing.departures import Departure, DepartureState
    from contracts.bindings.verifier_registry import VerifierRegistry
    from contracts.chain.connection import send

    account, (found, w3) = open_keystore(keystore), known_model(deployment, rpc_url)
    registry = VerifierRegistry(w3, found.verifier_registry)
    before = Departure.read(registry, account.address)
    if not show:
        if before.state is DepartureState.SEATED:
            send(w3, account, registry.resign())
        elif before.state is DepartureState.GONE:
            raise NoStake(before.sentence)
        else:
            _take_back(registry, account, before)
    now = Departure.read(registry, account.address)
    paid = before.stake - now.stake
    line = f"paid {amount(paid, COINS)} to {account.address}" if paid else now.sentence
    tell(now.to_json() | {"paid": str(paid)}, [line])


def _take_back(registry: VerifierRegistry, account: LocalAccount, departure: Departure) -> None:
    """Raises StakeLocked with what it waits for."""
    from contracts.chain.connection import ContractRejected, send

    try:
        send(registry.w3, account, registry.unstake())
    except ContractRejected as error:
        if error.error != "VerifierSetStakeLocked":
            raise
        raise StakeLocked(departure.sentence) from error


def _request(stakes: NodeStakes, account: LocalAccount, wei: int) -> None:
    from contracts.chain.connection import send

    send(stakes.w3, account, stakes.request_withdrawal(wei))
    pending = stakes.pending_of(account.address)
    said = {
        "account": account.address,
        "state": "locked",
        "wei": str(pending.amount),
        "requested_at": pending.requested_at,
        "free_at": pending.available_at,
        "epochs_to_wait": stakes.epochs_to_wait(pending),
    }
    tell(said, [f"{_locked(pending, stakes)}; they can be taken until paid: then run this again"])


def _pay_out(stakes: NodeStakes, account: LocalAccount, to: str, pending: Withdrawal) -> None:
    from contracts.chain.connection import ContractRejected, send

    try:
        send(stakes.w3, account, stakes.withdraw(to))
    except ContractRejected as error:
        if error.error != "NodeStakesWithdrawalLocked":
            raise
        # what the contract says: later than was asked for by what epochs were disputed for since
        pending = replace(pending, available_at=int(error.args_["availableAt"]))
        left = max(1, pending.available_at - stakes.w3.eth.get_block("latest")["timestamp"])
        raise StakeLocked(f"{_locked(pending, stakes)}, {left} seconds from now") from error
    said = {"account": account.address, "state": "paid", "wei": str(pending.amount), "to": to}
    tell(said, [f"paid {amount(pending.amount, COINS)} to {to}"])


def _locked(pending: Withdrawal, stakes: NodeStakes) -> str:
    left, asked = stakes.epochs_to_wait(pending), _clock(pending.requested_at)
    epochs = "one more epoch is" if left == 1 else f"{left} more epochs are"
    until = f"until {epochs} final that settle all that opened until {asked}"
    longest = f"no longer than until {_clock(pending.available_at)} and for as long as epochs are disputed until then"
    return f"{amount(pending.amount, COINS)} are locked {until}, and {longest}"


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
