"""`commonweight outbox`: the pending calls of the relayer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commonweight.server_database import existing_database
from commonweight.terminal.console import tell
from commonweight.terminal.options import DatabaseUrl, OwnDeployment, ServerFolder
from contracts.wire.states import CallState

app = typer.Typer(no_args_is_help=True, help="Pending calls of the relayer.")


@app.command("list")
def list_(
    folder: ServerFolder = Path("commonweight-server"),
    database_url: DatabaseUrl = "",
    everything: Annotated[bool, typer.Option("--all", help="Also list final calls.")] = False,
    deployment: OwnDeployment = None,
) -> None:
    """List the calls that are not final, each with its state and last error. Dead calls need an operator."""
    from ledger.relay import outbox

    with existing_database(folder, database_url, deployment).read() as session:
        rows = [row for row in outbox.listed(session) if everything or row.state != CallState.FINAL]
    for row in rows:
        line = {name: getattr(row, name) for name in ("id", "state", "tries", "nonce", "hash", "error")}
        tell(line, [f"{row.state:9} {row.id}  {row.hash or ''}  {row.error or ''}".rstrip()])
    if not rows:
        tell((), ["no call is pending"])


@app.command("retry")
def retry(
    call: Annotated[str, typer.Argument(help="Id of the call, as `outbox list` prints it.")],
    folder: ServerFolder = Path("commonweight-server"),
    database_url: DatabaseUrl = "",
    deployment: OwnDeployment = None,
) -> None:
    """Requeue a call that is dead, refused or failed. The keeper sends it again."""
    from ledger.relay import outbox

    with existing_database(folder, database_url, deployment).write() as session:
        outbox.retry(session, call)
    tell({"id": call, "state": CallState.QUEUED}, [f"{call} is queued again"])
