"""`commonweight fund`: a model's funding round. Amounts are units of the round's currency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commonweight.amounts import tokens
from commonweight.commands.options import DEFAULT_RPC, Account, Json, Keystore, Rpc
from commonweight.commands.stake import DeploymentFile
from commonweight.console import emit, say
from commonweight.keystore import open_keystore
from contracts.errors import CommonweightError

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from contracts.capital_pool import CapitalPool

app = typer.Typer(no_args_is_help=True, help="Pay into a model's funding round; get its tokens, or your money back.")
PERMIT_SECONDS = 3_600
"""How long the signed permission of a deposit is good for."""


class NoFundingRound(CommonweightError):
    """The deployment names no CapitalPool."""

    code = "no-funding-round"


@app.command("show")
def show(deployment: DeploymentFile, rpc_url: Rpc = DEFAULT_RPC, as_json: Json = False) -> None:
    """Where the round stands."""
    pool = _pool(deployment, rpc_url)
    soft, hard = pool.caps()
    status, deposited = pool.status().name.lower(), pool.deposited()
    if as_json:
        amounts = {"deposited": str(deposited), "soft_cap": str(soft), "hard_cap": str(hard), "held": str(pool.held())}
        emit({"status": status, "currency": pool.currency().address, "deadline": pool.deadline(), **amounts})
        return
    say(f"{status}: {deposited} of {soft} to {hard} units of {pool.currency().address}")


@app.command("deposit")
def deposit(
    keystore: Keystore,
    deployment: DeploymentFile,
    amount: Annotated[
        int, typer.Option(min=1, help="Units of the currency; what is beyond the hard cap is not taken.")
    ],
    approve: Annotated[
        bool, typer.Option("--approve", help="Approve in a transaction of its own, for a currency without permits.")
    ] = False,
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Pay in, by a signed permit in one transaction."""
    from contracts.chain import send

    pool, account = _pool(deployment, rpc_url), open_keystore(keystore)
    before = pool.deposit_of(account.address)
    if approve:
        send(pool.w3, account, pool.currency().approve(pool.address, amount))
        call = pool.deposit(amount)
    else:
        until = pool.w3.eth.get_block("latest")["timestamp"] + PERMIT_SECONDS
        call = pool.deposit_with_permit(amount, until, pool.sign_permit(account, amount, until))
    send(pool.w3, account, call)
    whole = pool.deposit_of(account.address)
    say(
        f"took {whole - before} units; {whole} in all are {tokens(pool.tokens_for(whole))} tokens if the round succeeds"
    )


@app.command("claim")
def claim(account: Account, keystore: Keystore, deployment: DeploymentFile, rpc_url: Rpc = DEFAULT_RPC) -> None:
    """Have an account's tokens minted to it after the round succeeded; any key with gas may ask."""
    pool = _pool(deployment, rpc_url)
    bought = pool.tokens_for(pool.deposit_of(account))
    _send(pool, keystore, pool.claim(account))
    say(f"minted {tokens(bought)} tokens to {account}")


@app.command("refund")
def refund(account: Account, keystore: Keystore, deployment: DeploymentFile, rpc_url: Rpc = DEFAULT_RPC) -> None:
    """Have an account's deposit paid back to it after the round failed; any key with gas may ask."""
    pool = _pool(deployment, rpc_url)
    paid = pool.deposit_of(account)
    _send(pool, keystore, pool.refund(account))
    say(f"paid {paid} units back to {account}")


@app.command("sweep")
def sweep(keystore: Keystore, deployment: DeploymentFile, rpc_url: Rpc = DEFAULT_RPC) -> None:
    """Send the deposits of a round that succeeded to the model's treasury; any key with gas may ask."""
    pool = _pool(deployment, rpc_url)
    _send(pool, keystore, pool.sweep())
    say(f"sent {pool.swept()} units to the treasury")


def _send(pool: CapitalPool, keystore: Path, call: Any) -> None:
    from contracts.chain import send

    send(pool.w3, open_keystore(keystore), call)


def _pool(deployment: Path, rpc_url: str) -> CapitalPool:
    from contracts.capital_pool import CapitalPool
    from contracts.chain import connect
    from contracts.deploy import Deployment

    found = Deployment.from_json(deployment.read_text())
    if not found.pool:
        raise NoFundingRound(f"the model {found.name} was deployed without a funding round")
    return CapitalPool(connect(rpc_url), found.pool)
