"""A refusal: a problem document (RFC 9457)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.wire.fields import Part, unit


class Problem(Part):
    """A problem document (RFC 9457). `code` is stable; docs/errors.md lists all."""

    type: Annotated[str, Field(pattern="^urn:commonweight:[a-z0-9-]+$", examples=["urn:commonweight:not-found"])] = (
        Field(description="The code as a URN.")
    )
    title: Annotated[str, Field(min_length=1, examples=["not found"])] = Field(description="The code in words.")
    status: Annotated[int, Field(ge=400, le=599, examples=[404], json_schema_extra=unit("status of HTTP"))] = Field(
        description="The status of the answer."
    )
    code: Annotated[str, Field(pattern="^[a-z0-9-]+$", examples=["not-found"])] = Field(
        description="What a program acts on: it stays the same."
    )
    detail: Annotated[str, Field(examples=["no run 0x5a1b"])] = Field(
        description="What a person acts on: the field, and the remedy."
    )
