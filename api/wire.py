"""Request bodies that are no message for the log (api/routes/messages.py), and what paths are made of."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from api.http.message_schema import schema_of
from contracts.ids import from_hex
from contracts.messages.fields import LARGEST_NUMBER
from contracts.messages.for_contracts import EpochRoot, NodeFault, VerifierFault

Signature = Annotated[str, StringConstraints(pattern=r"^0x([0-9a-fA-F]{2}){0,80}$")]
KeySignature = Annotated[Signature, WithJsonSchema({"type": "string", "pattern": r"^0x[0-9a-fA-F]{130}$"})]
"""By a key; another length is refused in words of its own."""
Text = Annotated[str, StringConstraints(max_length=4000)]
"""Well-formed text: half a surrogate is none."""
EthAddress = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
LARGEST = 2**31 - 1
PAGE = 100
"""Lines at most of a list that costs something for each of them."""
Number = Annotated[int, Path(ge=0, le=LARGEST)]


def _number(one: Any) -> Any:
    """JSON knows no whole numbers: 5.0 is 5."""
    return int(one) if isinstance(one, float) and one.is_integer() else one


Whole = Annotated[int, Field(strict=True), BeforeValidator(_number)]
"""A number, and neither `true` nor `"1"`."""


def _whole(fields: Any) -> Any:
    return {name: _number(one) for name, one in fields.items()} if isinstance(fields, dict) else fields


Fields = Annotated[dict[str, Any], BeforeValidator(_whole)]
"""Of a signed message, which from_json reads strictly."""


class Body(BaseModel):
    """A request body: exactly the fields that are named."""

    model_config = ConfigDict(extra="forbid")


class CosignatureBody(Body):
    """What k verifiers sign for the chain; the signer is named, since the message does not."""

    signature: Signature
    signer: EthAddress

    def signature_bytes(self) -> bytes:
        """The signature, decoded."""
        return octets(self.signature)


class EpochRootBody(CosignatureBody):
    """An epoch's root."""

    message: Annotated[Fields, WithJsonSchema(schema_of(EpochRoot))]


class VerifierFaultBody(CosignatureBody):
    """A verifier's fault."""

    message: Annotated[Fields, WithJsonSchema(schema_of(VerifierFault))]


class NodeFaultBody(CosignatureBody):
    """A node's fault."""

    message: Annotated[Fields, WithJsonSchema(schema_of(NodeFault))]


class ClaimBody(Body):
    """Whose lines of an epoch are to be minted."""

    account: EthAddress


class EpochClaim(Body):
    """An account's lines of an epoch."""

    epoch: Whole = Field(ge=0, le=LARGEST)
    account: EthAddress


class ClaimManyBody(Body):
    """Whose lines of which epochs are to be minted, each to its own account."""

    claims: Annotated[list[EpochClaim], Field(min_length=1, max_length=PAGE)]


class SignedClaimBody(Body):
    """A line's account says where it is paid (EIP-712 `ClaimTo` of the distributor); `deadline` in Unix seconds."""

    account: EthAddress
    index: Whole = Field(ge=0, le=LARGEST)
    to: EthAddress
    deadline: Whole = Field(ge=0, le=LARGEST_NUMBER)
    signature: Annotated[str, StringConstraints(pattern=r"^0x([0-9a-fA-F]{2}){0,4096}$")]


class CallBody(Body):
    """One call that the timelock would make: `value` in wei, `data` at most 32,768 bytes."""

    target: EthAddress
    value: Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,77})$")] = "0"
    data: Annotated[str, StringConstraints(pattern=r"^0x([0-9a-fA-F]{2})*$", max_length=2 + 2 * 32_768)]


class ProposalBody(Body):
    """A proposal signed for the Governor (EIP-712 `Proposal`): decisions for the runs, then other calls."""

    proposer: EthAddress
    description: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    decisions: Annotated[list[tuple[Text, Text]], Field(max_length=16)]
    calls: Annotated[list[CallBody], Field(max_length=16)] = []
    deadline: Whole = Field(ge=0, le=LARGEST_NUMBER)
    signature: Signature


class BallotBody(Body):
    """A vote signed for the Governor (OpenZeppelin's EIP-712 `Ballot`)."""

    voter: EthAddress
    support: Whole = Field(ge=0, le=2)
    signature: Signature


class DelegationBody(Body):
    """Votes lent by a signature for the token (OpenZeppelin's EIP-712 `Delegation`)."""

    delegator: EthAddress
    delegatee: EthAddress
    nonce: Whole = Field(ge=0, le=LARGEST_NUMBER)
    expiry: Whole = Field(ge=0, le=LARGEST_NUMBER)
    signature: KeySignature


def octets(text: str) -> bytes:
    """0x-hex to bytes."""
    return from_hex(text)
