"""Suppliers' offers and verifiers' measurements, as the server takes and lists them: all of it is signed by others."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from contracts.messages.for_market import HostOffer, MeasuredHost
from contracts.wire.fields import Address, Body, MessageFields, Object, Part, Seconds
from contracts.wire.message_schema import schema_of
from contracts.wire.requests import KeySignature


class OfferBody(Body):
    """A supplier's offer."""

    message: Annotated[MessageFields, WithJsonSchema(schema_of(HostOffer))] = Field(description="What is offered.")
    signature: KeySignature = Field(description="The supplier's.")


class ReportBody(Body):
    """A verifier's measurement of a host."""

    message: Annotated[MessageFields, WithJsonSchema(schema_of(MeasuredHost))] = Field(description="What was measured.")
    signature: KeySignature = Field(description="The verifier's.")


class HeldOffer(Part):
    """An offer that was taken."""

    supplier: Address = Field(description="Whose offer it is.")
    expires_at: Seconds = Field(description="When it ends.")


class HeldReport(Part):
    """A report that was taken."""

    supplier: Address = Field(description="About whose host it is.")
    verifier: Address = Field(description="Who measured it.")


class HostLine(Part):
    """A host, by its supplier's signed offer and the signed reports about it; each is checked by who reads it."""

    offer: Object = Field(description="Message and signature.", examples=[{"message": {}, "signature": "0x"}])
    reports: list[Object] = Field(description="Messages and signatures of verifiers.", examples=[[]])
