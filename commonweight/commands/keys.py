"""`commonweight keys`: keystores."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from commonweight.commands.options import Json
from commonweight.console import emit, say
from commonweight.keystore import given_passphrase, nobody_to_ask, open_keystore, write_keystore

app = typer.Typer(no_args_is_help=True, help="Make and show keys. A key never leaves its keystore in the clear.")


@app.command("new")
def new(out: Annotated[Path, typer.Option(help="File to write; must not exist.")], as_json: Json = False) -> None:
    """Make a key and write it to a keystore v3 file, encrypted under a passphrase (scrypt)."""
    passphrase = given_passphrase() or _new_passphrase(out)
    address = write_keystore(out, secrets.token_bytes(32), passphrase)
    emit({"address": address, "keystore": str(out)}) if as_json else say(f"{address}  in {out}")


def _new_passphrase(out: Path) -> str:
    """Asked for twice. Raises KeystoreRefused where nobody can be asked."""
    try:
        return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True))
    except typer.Abort as error:
        if sys.stdin is None or not sys.stdin.isatty():
            raise nobody_to_ask(out) from error
        raise


@app.command("address")
def address(keystore: Annotated[Path, typer.Argument(help="Keystore file.")]) -> None:
    """Print the address of a keystore."""
    say(open_keystore(keystore).address)


@app.command("log-key")
def log_key(keystore: Annotated[Path, typer.Argument(help="Keystore file of the operator.")]) -> None:
    """Print the key under which this operator signs heads of the log: `model deploy --log-key` takes it."""
    from contracts.protocol.log.operator import LogSigner

    say(LogSigner.of(bytes(open_keystore(keystore).key)).public.vkey())
