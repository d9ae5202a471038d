"""What costs stake: faults that verifiers may sign, and what is said of a signature."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from contracts.messages.for_contracts import NodeFault, VerifierFault
from contracts.wire.fields import Address, Object, Part
from contracts.wire.message_schema import schema_of

FaultMessage = Annotated[
    Object, WithJsonSchema({"anyOf": [schema_of(VerifierFault), schema_of(NodeFault)], "type": "object"})
]


class Charge(Part):
    """A fault that may be signed now."""

    kind: Annotated[Literal["VerifierFault", "NodeFault"], Field(examples=["NodeFault"])] = Field(
        description="The struct that is signed."
    )
    party: Address = Field(description="Whose fault it is.")
    message: FaultMessage = Field(description="What verifiers sign.")
    signatures: list[Address] = Field(description="Verifiers that did.")


class ChargedVerifier(Part):
    """A word for a verifier's fault that was taken."""

    verifier: Address = Field(description="Whose fault it is.")


class ChargedNode(Part):
    """A word for a node's fault that was taken."""

    node: Address = Field(description="Whose fault it is.")
