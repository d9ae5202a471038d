"""Entries of the log for human readers, and the answers to a message and to an upload."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.wire.fields import BlobName, Count, Digest, Entry, Part


class LogSize(Part):
    """The length of the log."""

    size: Count = Field(description="Number of entries in the log.")


class LogLine(Part):
    """One entry of the log."""

    index: Entry = Field(description="Index of the entry in the log, from 0.")
    body: Annotated[str, Field(max_length=65_535, examples=['{"kind":"posted","node":"0x7e5f"}'])] = Field(
        description="Text whose hash is the leaf of the log tree: canonical JSON."
    )


class LogPage(Part):
    """A page of log entries."""

    entries: list[LogLine] = Field(description="Entries in the order of the log.", max_length=1000)


class Accepted(Part):
    """The answer to a message that the log has, whether it is new or was sent before."""

    digest: Digest = Field(description="EIP-712 digest of the message.")
    index: Entry | None = Field(
        description="Index of the message in the log, from 0; null if the message is kept beside the log."
    )
    entered: Count = Field(description="Number of derived entries that followed from the message.")


class StoredBlob(Part):
    """The answer to an upload: the server has the blob."""

    blob: BlobName = Field(description="Name of the blob: the BLAKE3 digest of its bytes.")
