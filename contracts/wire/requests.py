"""Request bodies that are no message for the log: those are leaves, in canonical JSON (docs/http.md)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from contracts.ids import from_hex
from contracts.messages.fields import LARGEST_NUMBER
from contracts.messages.for_contracts import EpochRoot, NodeFault, VerifierFault
from contracts.wire.fields import (
    EPOCHS,
    LARGEST,
    LONGEST_TEXT,
    PAGE,
    UINT256,
    Body,
    EthAddress,
    MessageFields,
    Object,
    RequestText,
    Signature,
    unit,
    whole_number,
)
from contracts.wire.message_schema import schema_of

KeySignature = Annotated[
    Signature,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^0x[0-9a-fA-F]{130}$",
            "examples": ["0x" + "1f" * 32 + "2e" * 32 + "1b"],
            "x-unit": "65 bytes, 0x-hex",
        }
    ),
]
"""By a key; another length is refused in words of its own."""
UnixSeconds = Annotated[
    int,
    Field(strict=True, ge=0, le=LARGEST_NUMBER, examples=[1_767_225_600], json_schema_extra=unit("Unix seconds")),
    BeforeValidator(whole_number),
]
EpochIndex = Annotated[
    int,
    Field(strict=True, ge=0, le=LARGEST, examples=[1], json_schema_extra=unit(EPOCHS)),
    BeforeValidator(whole_number),
]


class LeafBody(Body):
    """A signed message in the text that becomes its leaf: canonical JSON, keys sorted, no spaces (docs/http.md)."""

    beside: Object = Field(description="What the kind has beside the message: paths, a configuration.", examples=[{}])
    kind: Annotated[str, Field(max_length=64, examples=["leave"])] = Field(
        description="The struct, by its name in the log: contracts/messages/for_log.py."
    )
    message: Object = Field(description="Its fields in their wire form.", examples=[{"nonce": "1"}])
    signatures: list[Signature] = Field(description="Its author's; of a contribution its maintainers'.")


class CosignatureBody(Body):
    """What k verifiers sign for the chain; the signer is named, since the message does not."""

    signature: Signature = Field(description="The verifier's signature under the message.")
    signer: EthAddress = Field(description="The verifier.")

    def signature_bytes(self) -> bytes:
        """The signature, decoded."""
        return from_hex(self.signature)


class EpochRootBody(CosignatureBody):
    """An epoch's root."""

    message: Annotated[MessageFields, WithJsonSchema(schema_of(EpochRoot))] = Field(description="What is signed.")


class VerifierFaultBody(CosignatureBody):
    """A verifier's fault."""

    message: Annotated[MessageFields, WithJsonSchema(schema_of(VerifierFault))] = Field(description="What is signed.")


class NodeFaultBody(CosignatureBody):
    """A node's fault."""

    message: Annotated[MessageFields, WithJsonSchema(schema_of(NodeFault))] = Field(description="What is signed.")


class ClaimBody(Body):
    """Whose lines of an epoch are to be minted."""

    account: EthAddress = Field(description="Who is paid.")


class EpochClaim(Body):
    """An account's lines of an epoch."""

    epoch: EpochIndex = Field(description="The epoch.")
    account: EthAddress = Field(description="Who is paid.")


class ClaimManyBody(Body):
    """Whose lines of which epochs are to be minted, each to its own account."""

    claims: Annotated[list[EpochClaim], Field(min_length=1, max_length=PAGE)] = Field(description="What is asked for.")


class SignedClaimBody(Body):
    """A line's account says where it is paid (EIP-712 `ClaimTo` of the distributor)."""

    account: EthAddress = Field(description="Whose line it is, and who signed.")
    index: Annotated[
        int,
        Field(
            strict=True, ge=0, le=LARGEST, examples=[0], json_schema_extra=unit("lines of the epoch, counted from 0")
        ),
        BeforeValidator(whole_number),
    ] = Field(description="The line.")
    to: EthAddress = Field(description="Where it is to be paid.")
    deadline: UnixSeconds = Field(description="The last second at which the signature counts.")
    signature: Annotated[
        str,
        StringConstraints(pattern=r"^0x([0-9a-fA-F]{2}){0,4096}$"),
        Field(examples=["0x" + "1f" * 32 + "2e" * 32 + "1b"], json_schema_extra=unit("bytes, 0x-hex")),
    ] = Field(description="The account's: of a key, or what a contract takes (ERC-1271).")


class CallBody(Body):
    """One call that the timelock would make: `value` in wei, `data` at most 32,768 bytes."""

    target: EthAddress = Field(description="The contract.")
    value: Annotated[
        str,
        StringConstraints(pattern=UINT256),
        Field(examples=["0"], json_schema_extra=unit("wei, decimal")),
    ] = Field(default="0", description="What is sent with it.")
    data: Annotated[
        str,
        StringConstraints(pattern=r"^0x([0-9a-fA-F]{2})*$", max_length=2 + 2 * 32_768),
        Field(examples=["0xa9059cbb"], json_schema_extra=unit("bytes, 0x-hex")),
    ] = Field(description="The call's bytes.")


class ProposalDraft(Body):
    """A proposal that is not signed yet: decisions for the runs, then other calls."""

    proposer: EthAddress = Field(description="Who proposes.")
    description: Annotated[
        str,
        StringConstraints(min_length=1, max_length=LONGEST_TEXT),
        Field(examples=["Halve the rate#proposer=0x7e5f"]),
    ] = Field(description="The text, with its proposer's mark.")
    decisions: Annotated[
        list[tuple[RequestText, RequestText]], Field(max_length=16, examples=[[["inner_lr", "0.001"]]])
    ] = Field(description="Keys and values for the runs.")
    calls: Annotated[list[CallBody], Field(max_length=16)] = Field(
        default=[], description="What else the timelock is to call.", examples=[[]]
    )
    deadline: UnixSeconds = Field(description="The last second at which the signature counts.")


class ProposalBody(ProposalDraft):
    """A proposal signed for the Governor (EIP-712 `Proposal`): decisions for the runs, then other calls."""

    signature: Signature = Field(description="The proposer's.")


class BallotBody(Body):
    """A vote signed for the Governor (OpenZeppelin's EIP-712 `Ballot`)."""

    voter: EthAddress = Field(description="Who votes.")
    support: Annotated[
        int,
        Field(strict=True, ge=0, le=2, examples=[1], json_schema_extra=unit("0 against, 1 for, 2 abstain")),
        BeforeValidator(whole_number),
    ] = Field(description="What it says.")
    signature: Signature = Field(description="The voter's.")


class DelegationBody(Body):
    """Votes lent by a signature for the token (OpenZeppelin's EIP-712 `Delegation`)."""

    delegator: EthAddress = Field(description="Who lends.")
    delegatee: EthAddress = Field(description="To whom.")
    nonce: Annotated[
        int,
        Field(strict=True, ge=0, le=LARGEST_NUMBER, examples=[0], json_schema_extra=unit("count of the token")),
        BeforeValidator(whole_number),
    ] = Field(description="The token's nonce of the delegator.")
    expiry: UnixSeconds = Field(description="The last second at which the signature counts.")
    signature: KeySignature = Field(description="The delegator's.")
