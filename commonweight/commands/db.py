"""`commonweight db`: the server's database and its revision. `serve` upgrades by itself where its role may."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commonweight.commands.options import DatabaseUrl, Json, ServerFolder, database_address
from commonweight.console import emit, say

app = typer.Typer(no_args_is_help=True, help="The server's database.")


@app.command("upgrade")
def upgrade(folder: ServerFolder = Path("commonweight-server"), database_url: DatabaseUrl = "") -> None:
    """Bring the database to this release's revision; one that is there is left alone. Takes the writers' lock."""
    from ledger import schema
    from ledger.store import Store

    folder.mkdir(parents=True, exist_ok=True)
    store = Store(database_address(folder, database_url))
    say(f"revision {schema.current(store.engine)}")


@app.command("current")
def current(
    folder: ServerFolder = Path("commonweight-server"), database_url: DatabaseUrl = "", as_json: Json = False
) -> None:
    """Which revision the database has, and which one this release brings it to. Changes nothing."""
    from ledger import schema

    found, newest = schema.revision_of(database_address(folder, database_url)), schema.head()
    if as_json:
        emit({"revision": found, "newest": newest})
    else:
        say(f"revision {found or 'none'}, newest {newest}")


@app.command("grants")
def grants(role: Annotated[str, typer.Argument(help="Role of PostgreSQL that the server connects as.")]) -> None:
    """Print the SQL that gives a role what the server needs and no more: no change of what must only grow."""
    from ledger.append_only import grants_for

    for statement in grants_for(role):
        say(f"{statement};")
