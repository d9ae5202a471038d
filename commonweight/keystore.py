"""Keystore files (Web3 Secret Storage v3): a key encrypted under a passphrase."""

from __future__ import annotations

import json
import os
import sys
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from contracts.errors import CommonweightError
from contracts.files.whole_file import create_file
from contracts.recursion import bound_recursion

if TYPE_CHECKING:  # the import takes half a second, for which a command without a key must not wait
    from eth_account.signers.local import LocalAccount

_WRONG = "MAC mismatch"
"""The error text of eth-keyfile for a wrong passphrase."""
PASSPHRASE_VARIABLE = "COMMONWEIGHT_PASSPHRASE"  # noqa: S105 - a variable's name
FILE_VARIABLE = "COMMONWEIGHT_PASSPHRASE_FILE"


class KeystoreRefused(CommonweightError):
    """A keystore that does not exist, is not one, or does not open with this passphrase."""

    code = "keystore-refused"


def write_keystore(path: Path, key: bytes, passphrase: str, iterations: int | None = None) -> str:
    """Encrypt `key` into a new file of mode 0600 and return its address. Raises KeystoreRefused if it exists."""
    from eth_account import Account

    kdf: Literal["scrypt", "pbkdf2"] = "scrypt" if iterations is None else "pbkdf2"
    content = Account.encrypt(key, passphrase, kdf=kdf, iterations=iterations)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        create_file(path, json.dumps(content).encode(), 0o600)
    except FileExistsError as error:
        raise KeystoreRefused(f"{path} exists; keys are never overwritten") from error
    return str(Account.from_key(key).address)


def open_keystore(path: Path) -> LocalAccount:
    """The account in a keystore; its passphrase is that of `given_passphrase`, or is asked for."""
    if not path.is_file():
        raise KeystoreRefused(f"no keystore {path}; make one with `commonweight keys new --out {path}`")
    passphrase = given_passphrase()
    if passphrase is None:
        passphrase = asked("Passphrase", path)
    from eth_account import Account

    bound_recursion()  # which that import raises
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(path.read_text(), passphrase))
        return account
    except (ValueError, KeyError, TypeError, AttributeError, NotImplementedError, RecursionError) as error:
        if str(error) == _WRONG:
            raise KeystoreRefused(f"{path} does not open with this passphrase") from error
        raise KeystoreRefused(f"{path} is not a keystore (Web3 Secret Storage v3)") from error


def given_passphrase() -> str | None:
    """COMMONWEIGHT_PASSPHRASE, else the first line of the file that COMMONWEIGHT_PASSPHRASE_FILE names, else None.

    Raises KeystoreRefused for a file that cannot be read.
    """
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    file = os.environ.get(FILE_VARIABLE)
    if passphrase is not None or not file:
        return passphrase
    try:
        lines = Path(file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KeystoreRefused(f"{FILE_VARIABLE} names {file}, which cannot be read: {error}") from error
    return lines[0] if lines else ""


def nobody_to_ask(path: Path) -> KeystoreRefused:
    """The refusal where a passphrase is wanted and there is no terminal, as in a service or a container."""
    return KeystoreRefused(f"no passphrase for {path}, and no terminal to ask for one: set {FILE_VARIABLE}")


def asked(label: str, path: Path) -> str:
    """A passphrase from the terminal; without one the next line of the standard input, without a prompt: scripts read
    both streams. Raises KeystoreRefused where neither has it."""
    if _has_terminal():
        return getpass(f"{label} of {path}: ")
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line:
        raise nobody_to_ask(path)
    return line.rstrip("\r\n")


def _has_terminal() -> bool:
    """Whether getpass finds a terminal, by its own rule: the process's own, else the standard input."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin is not None and sys.stdin.isatty()
    return True
