"""A refusal: a problem document (RFC 9457)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.wire.fields import Part, unit


class Problem(Part):
    """A refusal, as a problem document (RFC 9457). docs/errors.md lists all codes."""

    type: Annotated[str, Field(pattern="^urn:commonweight:[a-z0-9-]+$", examples=["urn:commonweight:not-found"])] = (
        Field(description="The code as a URN.")
    )
    title: Annotated[str, Field(min_length=1, examples=["not found"])] = Field(description="The code in words.")
    status: Annotated[int, Field(ge=400, le=599, examples=[404], json_schema_extra=unit("status of HTTP"))] = Field(
        description="HTTP status of the answer."
    )
    code: Annotated[str, Field(pattern="^[a-z0-9-]+$", examples=["not-found"])] = Field(
        description="Stable code of the refusal, for programs."
    )
    detail: Annotated[str, Field(examples=["no run 0x5a1b"])] = Field(
        description="Explanation for people: the field, and the remedy."
    )
