"""The log as people read it, and what the door says of a message."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.wire.fields import BlobName, Count, Digest, Entry, Part


class LogSize(Part):
    """How far the log is."""

    size: Count = Field(description="Entries of the log.")


class LogLine(Part):
    """One entry of the log."""

    index: Entry = Field(description="Its place.")
    body: Annotated[str, Field(max_length=65_535, examples=['{"kind":"posted","node":"0x7e5f"}'])] = Field(
        description="The text whose hash is the leaf: canonical JSON."
    )


class LogPage(Part):
    """Some entries of the log."""

    entries: list[LogLine] = Field(description="In their order.", max_length=1000)


class Accepted(Part):
    """A message that was taken, now or before."""

    digest: Digest = Field(description="The EIP-712 digest of the message.")
    index: Entry | None = Field(description="Where it stands in the log; null where it is kept beside the log.")
    entered: Count = Field(description="Derived entries that followed on it.")


class StoredBlob(Part):
    """A blob that is here."""

    blob: BlobName = Field(description="Its name.")
