"""A node's messages, signed once and kept on its disk before they are sent."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.ids import from_hex, to_hex
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain
from trainer.conduct import Made
from trainer.exchange.keeping import KeptMessages, signed_text


class Pen:
    """One key over one store: a name stands for one message for ever."""

    def __init__(self, key: str, domain: Domain, store: KeptMessages) -> None:
        self._key = from_hex(key)
        self.domain = domain
        self.store = store

    def text(self, message: Message, **beside: object) -> str:
        """A signed message that is not kept."""
        return signed_text(message, self.domain, self._key, beside)

    def keep(self, name: str, message: Message, blob: bytes | None = None, **beside: object) -> None:
        """Keep a message under a name that stands for none yet."""
        if self.store.get(name) is None:
            self.store.put(name, self.text(message, **beside), blob)

    def keep_commitment(self, name: str, commitment: Made) -> bool:
        """Keep a commitment with its gradient; returns whether its name stands for this one."""
        paths = {"first_path": hexes(commitment.first_path), "last_path": hexes(commitment.last_path)}
        text = signed_text(commitment.message, commitment.domain or self.domain, self._key, paths)
        return self.store.put(name, text, commitment.gradient).text == text


def hexes(path: Sequence[bytes]) -> list[str]:
    """A path as hex, for the data beside a message."""
    return [to_hex(node) for node in path]
