"""Keystore files (Web3 Secret Storage v3): a key encrypted under a passphrase."""

from __future__ import annotations

import json
import os
from getpass import getpass
from pathlib import Path
from typing import Literal

from eth_account import Account
from eth_account.signers.local import LocalAccount

from contracts.errors import CommonweightError
from contracts.whole_file import create_file

_WRONG = "MAC mismatch"
"""What eth-keyfile says of a wrong passphrase."""
PASSPHRASE_VARIABLE = "COMMONWEIGHT_PASSPHRASE"  # noqa: S105 - a variable's name


class KeystoreRefused(CommonweightError):
    """A keystore that does not exist, is not one, or does not open with this passphrase."""

    code = "keystore-refused"


def write_keystore(path: Path, key: bytes, passphrase: str, iterations: int | None = None) -> str:
    """Encrypt `key` into a new file of mode 0600 and return its address. Raises KeystoreRefused if it exists."""
    kdf: Literal["scrypt", "pbkdf2"] = "scrypt" if iterations is None else "pbkdf2"
    content = Account.encrypt(key, passphrase, kdf=kdf, iterations=iterations)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        create_file(path, json.dumps(content).encode(), 0o600)
    except FileExistsError as error:
        raise KeystoreRefused(f"{path} exists; keys are never overwritten") from error
    return str(Account.from_key(key).address)


def open_keystore(path: Path) -> LocalAccount:
    """The account in a keystore; the passphrase comes from COMMONWEIGHT_PASSPHRASE or is asked for."""
    if not path.is_file():
        raise KeystoreRefused(f"no keystore {path}; make one with `commonweight keys new --out {path}`")
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    if passphrase is None:
        passphrase = getpass(f"Passphrase of {path}: ")
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(path.read_text(), passphrase))
        return account
    except (ValueError, KeyError, TypeError, AttributeError, NotImplementedError) as error:
        if str(error) == _WRONG:
            raise KeystoreRefused(f"{path} does not open with this passphrase") from error
        raise KeystoreRefused(f"{path} is no keystore (Web3 Secret Storage v3)") from error
