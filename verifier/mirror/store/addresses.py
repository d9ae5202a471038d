"""Addresses of the verifiers' mirrors: the newest signed one of each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eth_utils import to_checksum_address

from contracts.errors import CommonweightError
from contracts.ids import Address, as_address
from contracts.messages.for_log import MirrorAddress
from contracts.mirrors.urls import NOWHERE, parse_url
from verifier.mirror.errors import NotWelcome
from verifier.mirror.store.database import Database
from verifier.mirror.store.parsing import Reader, SignedMessage


@dataclass(frozen=True)
class SignedAddress:
    """A verifier's address, by its own word: `text` is the signed message, empty for one of the deployment file."""

    url: str
    sequence: int
    digest: str
    text: str


class AddressBook:
    """The newest address of each verifier. `is_verifier` bounds the book to admitted verifiers."""

    def __init__(
        self,
        path: Path,
        reader: Reader,
        is_verifier: Callable[[Address], bool],
        loopback: bool = False,
        first: Mapping[str, str] | None = None,
    ) -> None:
        self._reader = reader
        self._is_verifier = is_verifier
        self.loopback = loopback
        self._file, self._lock = Database(path, _SCHEMA), threading.RLock()
        self._newest: dict[str, SignedAddress] = {
            to_checksum_address(v): SignedAddress(url, -1, "", "") for v, url in (first or {}).items()
        }
        self._load()

    def take(self, signed: SignedMessage) -> bool:
        """Keep an address if it is its verifier's newest; returns whether it is.

        Of two addresses under one number the one with the larger digest counts, so that all mirrors agree.
        Raises NotWelcome, InvalidMirrorAddress and DiskFull.
        """
        author, address = self._address(signed)
        if not self._is_verifier(as_address(author)):
            raise NotWelcome(f"{author} is no verifier")
        with self._lock:
            newest = self._newest.get(author)
            if newest is not None and (newest.sequence, newest.digest) >= (address.sequence, address.digest):
                return False
            with self._file.write() as tables:
                tables.execute("INSERT OR REPLACE INTO address VALUES (?, ?)", (author, signed.text))
            self._newest[author] = address
            return True

    def takes(self, verifier: Address) -> bool:
        """Whether an address that this verifier signs would be kept."""
        return self._is_verifier(verifier)

    def newest(self) -> dict[str, SignedAddress]:
        """Addresses by verifier, without those of removed verifiers."""
        return {
            verifier: address for verifier, address in self._known().items() if self._is_verifier(as_address(verifier))
        }

    def reachable(self, but: str = "") -> dict[str, str]:
        """Urls by verifier, without the url of the verifier `but`."""
        addresses = self.newest()
        return {v: a.url for v, a in addresses.items() if a.url != NOWHERE and v.lower() != but.lower()}

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _known(self) -> dict[str, SignedAddress]:
        """A copy, so that the machine, which has a lock of its own, is asked while this one is free."""
        with self._lock:
            return dict(self._newest)

    def _address(self, signed: SignedMessage) -> tuple[str, SignedAddress]:
        message = signed.message
        if not isinstance(message, MirrorAddress):
            raise NotWelcome("not the address of a mirror")
        if message.url != NOWHERE:
            parse_url(message.url, self.loopback)
        return signed.signers[0], SignedAddress(message.url, message.sequence, signed.digest, signed.text)

    def _load(self) -> None:
        for author, text in self._file.rows("SELECT verifier, text FROM address"):
            try:
                signer, address = self._address(self._reader.read(text.encode()))
            except CommonweightError:
                continue
            if signer == author:
                self._newest[author] = address


_SCHEMA = "CREATE TABLE IF NOT EXISTS address (verifier TEXT PRIMARY KEY, text TEXT NOT NULL);"
