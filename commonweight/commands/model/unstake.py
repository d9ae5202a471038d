"""`commonweight model unstake`: a node takes its stake back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.keystore import open_keystore
from commonweight.terminal.console import tell
from commonweight.terminal.options import DEFAULT_RPC, Keystore, ModelDeployment, Rpc, read_address
from contracts.amounts import COINS, amount

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from eth_account.signers.local import LocalAccount

    from contracts.bindings.node_stakes import NodeStakes, Withdrawal


class WithdrawalState(StrEnum):
    """States of a withdrawal of stake."""

    LOCKED = "locked"
    PAID = "paid"


def unstake(
    keystore: Keystore,
    deployment: ModelDeployment,
    wei: Annotated[
        int | None, typer.Option(min=1, help="Wei to withdraw, if no withdrawal is pending. Default: the whole stake.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            parser=read_address, metavar="ADDRESS", help="Address that the stake is paid to. Default: that of the key."
        ),
    ] = None,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Take a node's stake back with two calls: the first requests the withdrawal, and the second pays it out.

    The second call succeeds when two epochs that closed after the first call are final, or after a long delay.
    """
    from commonweight.model.known_model import known_model
    from contracts.bindings.node_stakes import NodeStakes

    account, (model, w3) = open_keystore(keystore), known_model(deployment, rpc_url)
    stakes = NodeStakes(w3, model.verifier_registry)
    pending = stakes.pending_of(account.address)
    if pending.amount:
        _pay_out(stakes, account, to or account.address, pending)
    else:
        _request(stakes, account, stakes.stake_of(account.address) if wei is None else wei)


def _request(stakes: NodeStakes, account: LocalAccount, wei: int) -> None:
    from contracts.chain.connection import send

    send(stakes.w3, account, stakes.request_withdrawal(wei))
    pending = stakes.pending_of(account.address)
    document = {
        "account": account.address,
        "state": WithdrawalState.LOCKED,
        "wei": str(pending.amount),
        "requested_at": pending.requested_at,
        "free_at": pending.available_at,
        "epochs_to_wait": stakes.epochs_to_wait(pending),
    }
    tell(
        document,
        [f"{_locked(pending, stakes)}; verifiers can take them until then. Run this again to be paid"],
    )


def _pay_out(stakes: NodeStakes, account: LocalAccount, to: str, pending: Withdrawal) -> None:
    """Pay the stake out. Raises StakeLocked with its end."""
    from commonweight.standing.departures import StakeLocked
    from contracts.chain.connection import ContractRejected, send

    try:
        send(stakes.w3, account, stakes.withdraw(to))
    except ContractRejected as error:
        if error.error != "NodeStakesWithdrawalLocked":
            raise
        # the contract's own time: disputes of epochs since the request made it later
        pending = replace(pending, available_at=int(error.args_["availableAt"]))
        seconds = max(1, pending.available_at - stakes.w3.eth.get_block("latest")["timestamp"])
        raise StakeLocked(f"{_locked(pending, stakes)}, {seconds} seconds from now") from error
    document = {"account": account.address, "state": WithdrawalState.PAID, "wei": str(pending.amount), "to": to}
    tell(document, [f"paid {amount(pending.amount, COINS)} to {to}"])


def _locked(pending: Withdrawal, stakes: NodeStakes) -> str:
    count = stakes.epochs_to_wait(pending)
    requested = _clock(pending.requested_at)
    epochs = "one more epoch" if count == 1 else f"{count} more epochs"
    until = f"until {epochs} are final and settle all rounds that opened before {requested}"
    longest = (
        f"at the latest until {_clock(pending.available_at)}, plus the time for which epochs are disputed before that"
    )
    return f"{amount(pending.amount, COINS)} are locked {until}, and {longest}"


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
