"""`commonweight db`: the server's database and its revision. `serve` upgrades the database itself if its role may."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commonweight.terminal.console import tell
from commonweight.terminal.options import DatabaseUrl, OwnDeployment, ServerFolder, database_address

app = typer.Typer(no_args_is_help=True, help="The server's database.")


@app.command("upgrade")
def upgrade(
    folder: ServerFolder = Path("commonweight-server"), database_url: DatabaseUrl = "", deployment: OwnDeployment = None
) -> None:
    """Upgrade the database to this release's revision, if it has an older one. Takes the writers' lock."""
    from contracts.chain.deployment import Deployment
    from ledger.identity import require_own
    from ledger.storage import schema
    from ledger.storage.store import Store

    if not database_url:
        folder.mkdir(parents=True, exist_ok=True)
    store = Store(database_address(folder, database_url))
    if deployment is not None:
        require_own(store, Deployment.of_file(deployment))
    revision = schema.current(store.engine)
    tell({"revision": revision}, [f"revision {revision}"])


@app.command("current")
def current(folder: ServerFolder = Path("commonweight-server"), database_url: DatabaseUrl = "") -> None:
    """Show the revision of the database, and the revision of this release. Changes nothing."""
    from ledger.storage import schema

    revision = schema.made_revision(database_address(folder, database_url))
    newest = schema.head()
    tell({"revision": revision, "newest": newest}, [f"revision {revision or 'none'}, newest {newest}"])


@app.command("grants")
def grants(role: Annotated[str, typer.Argument(help="PostgreSQL role of the server's connection.")]) -> None:
    """Print the SQL that gives a role the least rights of a server: append-only tables can only grow."""
    from ledger.storage.append_only import grants_for

    for statement in grants_for(role):
        tell({"statement": f"{statement};"}, [f"{statement};"])
