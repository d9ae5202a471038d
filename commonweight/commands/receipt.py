"""`commonweight receipt`: take home what you did and were paid, and check it anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from commonweight.commands.options import DEFAULT_API, Account, Api, Json, read_address
from commonweight.console import emit, say

app = typer.Typer(no_args_is_help=True, help="Your work and pay of an epoch as one file, checked without the server.")


@app.command("get")
def get(
    account: Account,
    epoch: Annotated[int, typer.Option(help="Epoch to prove.")] = 1,
    out: Annotated[Path, typer.Option(help="Where to write it.")] = Path("receipt.json"),
    api: Api = DEFAULT_API,
) -> None:
    """Download the receipt of an account for an epoch: keep it, the server is not needed any more."""
    from contracts.receipt import Receipt
    from trainer.client import ApiClient

    text = json.dumps(ApiClient(api).get(f"/receipts/{epoch}/{account}"), indent=1)
    receipt = Receipt.from_json(text)
    out.write_text(text + "\n")
    say(f"{out}: {len(receipt.entries)} log entries and {len(receipt.payouts)} payouts of {account} in epoch {epoch}")


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A receipt.")],
    deployment: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The model's deployment, from somewhere else than the server."),
    ] = None,
    operator: Annotated[
        str | None, typer.Option(parser=read_address, metavar="ADDRESS", help="Who has to have signed the tree head.")
    ] = None,
    rpc_url: Annotated[
        str | None, typer.Option("--rpc-url", help="JSON-RPC address of a chain node of your choice; default: offline.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a receipt offline, against the addresses that you trust; with --rpc-url against the chain too.

    Says what holds, and what it could not check. Exit status: 0 if nothing is wrong, 1 at the first thing that is.
    """
    from contracts.chain import connect
    from contracts.deploy import Deployment
    from contracts.receipt import Contracts, Receipt
    from verifier.receipt import check_receipt

    receipt = Receipt.from_json(file.read_bytes())
    trusted = Contracts.of(Deployment.from_json(deployment.read_text())) if deployment else None
    found = check_receipt(receipt, trusted, operator, connect(rpc_url) if rpc_url else None)
    if as_json:
        emit({"holds": found.holds, "unchecked": found.unchecked})
        return
    for line in found.holds:
        say(f"holds        {line}")
    for line in found.unchecked:
        say(f"not checked  {line}")
