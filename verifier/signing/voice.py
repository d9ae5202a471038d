"""Signing: a message is on this mirror's disk before anybody else has it.

Other mirrors pull it from there, and couriers bring it to the server (verifier/mirror/exchange/delivering.py): no duty
waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_account.signers.local import LocalAccount

from contracts.ids import Address
from contracts.messages.for_contracts import Message
from contracts.messages.for_log import MirrorAddress
from contracts.messages.signatures import Domain, sign
from contracts.protocol.log.codec import canonical, slug
from contracts.protocol.log.signed import Envelope
from verifier.mirror.errors import NotWelcome
from verifier.mirror.store.addresses import AddressBook
from verifier.mirror.store.messages import MessageStore
from verifier.mirror.store.parsing import Reader, SignedMessage

Give = Callable[[bytes], None]
"""Gets a message that is new here, and returns at once."""


class Voice:
    """One verifier's word. `reader` reads its messages as every mirror does; `give` are the ways to others."""

    def __init__(
        self,
        account: LocalAccount,
        domain: Domain,
        reader: Reader,
        messages: MessageStore,
        book: AddressBook,
        give: Give,
        refused: Callable[[str], None],
    ) -> None:
        self._account = account
        self.domain = domain
        self._reader = reader
        self._messages = messages
        self._book = book
        self._give = give
        self._refused = refused
        self._unwelcome: set[str] = set()

    @property
    def address(self) -> Address:
        """Checksum address of the key."""
        return self._account.address

    def say(self, message: Message, **beside: Any) -> bool:
        """Sign, keep, and hand on; returns whether the message is new here. None is sent if the machine has moved on.

        Raises QuotaSpent and DiskFull.
        """
        signed = self._signed(message, beside)
        if self._is_new(signed):
            self._give(signed.text.encode())
            return True
        return False

    def signature(self, message: Message, domain: Domain) -> bytes:
        """The signature on a message that contracts read."""
        return sign(message, domain, bytes(self._account.key))

    def held(self) -> list[SignedMessage]:
        """This verifier's messages that the log lacks."""
        return [held.signed for held in self._messages.held() if self.address in held.signed.signers]

    def _is_new(self, signed: SignedMessage) -> bool:
        try:
            if isinstance(signed.message, MirrorAddress):
                return self._book.take(signed)
            if self._messages.has(signed.digest):
                return False
            self._messages.keep(signed)
        except NotWelcome as error:
            if signed.digest not in self._unwelcome:
                self._refused(f"{type(signed.message).__name__} is not sent: {error.detail}")
            self._unwelcome.add(signed.digest)
            return False
        return True

    def _signed(self, message: Message, beside: dict[str, object]) -> SignedMessage:
        envelope = Envelope(message, (sign(message, self.domain, bytes(self._account.key)),), beside)
        return self._reader.read(canonical({"kind": slug(type(message)), **envelope.body()}).encode())
