"""Faults that cost stake: those that verifiers may sign now, and the answers to their signatures."""

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
    """A fault that follows from the log, and that verifiers may sign now."""

    kind: Annotated[Literal["VerifierFault", "NodeFault"], Field(examples=["NodeFault"])] = Field(
        description="Name of the struct that verifiers sign."
    )
    party: Address = Field(description="Address of the verifier or node that committed the fault.")
    message: FaultMessage = Field(description="The struct that verifiers sign.")
    signatures: list[Address] = Field(description="Addresses of the verifiers that signed it.")


class ChargedVerifier(Part):
    """The answer to a signature under a verifier's fault: the server keeps the signature."""

    verifier: Address = Field(description="Address of the verifier that committed the fault.")


class ChargedNode(Part):
    """The answer to a signature under a node's fault: the server keeps the signature."""

    node: Address = Field(description="Address of the node that committed the fault.")
