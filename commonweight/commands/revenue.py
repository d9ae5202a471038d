"""`commonweight revenue`: what a model earns, shared among its holders. Amounts are units of the currency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commonweight.commands.options import DEFAULT_RPC, Account, Keystore, Rpc, read_address
from commonweight.commands.stake import DeploymentFile
from commonweight.console import say
from commonweight.keystore import open_keystore

if TYPE_CHECKING:  # commands load what they need when they run, so that --help is quick
    from contracts.revenue_splitter import RevenueSplitter

app = typer.Typer(no_args_is_help=True, help="Share what a model earned among its holders, and take your part.")


@app.command("distribute")
def distribute(
    keystore: Keystore,
    deployment: DeploymentFile,
    currency: Annotated[
        str, typer.Option(parser=read_address, metavar="ADDRESS", help="ERC-20 in which the model earned.")
    ],
    amount: Annotated[int, typer.Option(min=1, help="Units of the currency to share.")],
    rpc_url: Rpc = DEFAULT_RPC,
) -> None:
    """Pay an amount to those who held tokens at the snapshot, some time ago; anybody may."""
    from contracts.chain import send
    from contracts.currency import Currency

    splitter, account = _splitter(deployment, rpc_url), open_keystore(keystore)
    send(splitter.w3, account, Currency(splitter.w3, currency).approve(splitter.address, amount))
    send(splitter.w3, account, splitter.distribute(currency, amount))
    say(f"shared {amount} units of {currency}")


@app.command("release")
def release(account: Account, keystore: Keystore, deployment: DeploymentFile, rpc_url: Rpc = DEFAULT_RPC) -> None:
    """Have all that an account can be paid sent to it; any key with gas may ask."""
    from contracts.chain import send

    splitter = _splitter(deployment, rpc_url)
    ids = splitter.unreleased(account)
    if not ids:
        say(f"nothing to pay to {account}")
        return
    send(splitter.w3, open_keystore(keystore), splitter.release_many(ids, account))
    say(f"paid {account} its share of distributions {', '.join(map(str, ids))}")


def _splitter(deployment: Path, rpc_url: str) -> RevenueSplitter:
    from contracts.chain import connect
    from contracts.deploy import Deployment
    from contracts.revenue_splitter import RevenueSplitter

    return RevenueSplitter(connect(rpc_url), Deployment.from_json(deployment.read_text()).splitter)
