"""`commonweight keys`: keystores."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from commonweight.keystore import KeystoreRefused, asked, given_passphrase, open_keystore, write_keystore
from commonweight.terminal.console import tell

app = typer.Typer(no_args_is_help=True, help="Make and show keys. A key never leaves its keystore in the clear.")


@app.command("new")
def new(out: Annotated[Path, typer.Option(help="Keystore file to write; it must not exist.")]) -> None:
    """Make a key and write it to a keystore v3 file, encrypted under a passphrase (scrypt)."""
    passphrase = given_passphrase() or _new_passphrase(out)
    address = write_keystore(out, secrets.token_bytes(32), passphrase)
    tell({"address": address, "keystore": str(out)}, [f"{address}  in {out}"])


def _new_passphrase(out: Path) -> str:
    """A passphrase, asked for twice. Raises KeystoreRefused without a terminal, or for empty or different answers."""
    passphrase = asked("New passphrase", out)
    if not passphrase:
        raise KeystoreRefused(f"an empty passphrase does not protect {out}; nothing was written")
    if asked("The same passphrase again", out) != passphrase:
        raise KeystoreRefused(f"the two passphrases for {out} differ; nothing was written")
    return passphrase


@app.command("address")
def address(keystore: Annotated[Path, typer.Argument(help="Keystore file.")]) -> None:
    """Print the address of a keystore."""
    address = open_keystore(keystore).address
    tell({"address": address}, [address])


@app.command("log-key")
def log_key(keystore: Annotated[Path, typer.Argument(help="Keystore file of the operator.")]) -> None:
    """Print the key with which this operator signs heads of the log, for `model deploy --log-key`."""
    from contracts.protocol.log.operator import LogSigner

    key = LogSigner.of(bytes(open_keystore(keystore).key)).public.vkey()
    tell({"log_key": key}, [key])
