"""Strings from the chain: a contract may log any bytes as one, and reading them must stop no reader.

eth-abi raises at bytes that are not UTF-8, and PostgreSQL stores no zero byte. A proposer could end every
indexer and verifier of the model with one such string; so both are written out, alike for all readers of the chain. The
data of a revert and the words of a node are kept too, and are written out in the same way.
"""

from __future__ import annotations

from eth_abi.codec import ABICodec
from eth_abi.decoding import StringDecoder
from eth_abi.registry import BaseEquals
from web3._utils.abi import build_strict_registry


class AnyText(StringDecoder):
    r"""UTF-8, with other bytes and zero bytes as `\xNN`."""

    @staticmethod
    def decoder_fn(data: bytes, handle_string_errors: str = "") -> str:  # noqa: ARG004 - the decoder's interface
        """One string's bytes."""
        return storable(data.decode("utf-8", errors="backslashreplace"))


def tolerant_codec() -> ABICodec:
    """web3's own codec but for strings."""
    registry = build_strict_registry()
    registry.unregister_decoder("string")
    registry.register_decoder(BaseEquals("string"), AnyText, label="string")  # type: ignore[no-untyped-call]
    return ABICodec(registry)


def storable(text: str) -> str:
    r"""A stranger's text as any database keeps it: zero bytes as `\x00`, halves of characters as `\udNNN`."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", r"\x00")
