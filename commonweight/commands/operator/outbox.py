"""`commonweight outbox`: the calls that the relayer owes the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commonweight.server_database import existing_database
from commonweight.terminal.console import tell
from commonweight.terminal.options import DatabaseUrl, OwnDeployment, ServerFolder
from contracts.wire.states import CallState

app = typer.Typer(no_args_is_help=True, help="Calls that the relayer owes the chain.")


@app.command("list")
def list_(
    folder: ServerFolder = Path("commonweight-server"),
    database_url: DatabaseUrl = "",
    everything: Annotated[bool, typer.Option("--all", help="Also what is final.")] = False,
    deployment: OwnDeployment = None,
) -> None:
    """Calls that are not final, with what is known of each; dead ones want a look."""
    from ledger.relay import outbox

    with existing_database(folder, database_url, deployment).read() as session:
        rows = [row for row in outbox.listed(session) if everything or row.state != CallState.FINAL]
    for row in rows:
        line = {name: getattr(row, name) for name in ("id", "state", "tries", "nonce", "hash", "error")}
        tell(line, [f"{row.state:9} {row.id}  {row.hash or ''}  {row.error or ''}".rstrip()])
    if not rows:
        tell((), ["no call is open"])


@app.command("retry")
def retry(
    call: Annotated[str, typer.Argument(help="Id of the call, as `outbox list` prints it.")],
    folder: ServerFolder = Path("commonweight-server"),
    database_url: DatabaseUrl = "",
    deployment: OwnDeployment = None,
) -> None:
    """Give a call that is dead, refused or failed all its tries again; the keeper does the rest."""
    from ledger.relay import outbox

    with existing_database(folder, database_url, deployment).write() as session:
        outbox.retry(session, call)
    tell({"id": call, "state": CallState.QUEUED}, [f"{call} is queued again"])
