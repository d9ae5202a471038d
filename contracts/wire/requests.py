"""Request bodies in JSON. A message for the log is sent as the text of its leaf (LeafBody; docs/http.md)."""

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
"""A signature of a key, 65 bytes. A signature of another length gets a refusal of its own."""
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
    """A signed message in the text that becomes its log leaf: canonical JSON, keys sorted, no spaces (docs/http.md)."""

    beside: Object = Field(
        description="Unsigned parts that the kind has beside the message, such as Merkle paths or a configuration.",
        examples=[{}],
    )
    kind: Annotated[str, Field(max_length=64, examples=["leave"])] = Field(
        description="Name of the struct in the log: contracts/messages/for_log.py."
    )
    message: Object = Field(description="Fields of the struct in their wire form.", examples=[{"nonce": "1"}])
    signatures: list[Signature] = Field(
        description="Signature of the message's author; for a contribution, those of its maintainers."
    )


class CosignatureBody(Body):
    """A verifier's signature under a message for the chain, and the signer, whom the message does not name."""

    signature: Signature = Field(description="The verifier's signature of the message.")
    signer: EthAddress = Field(description="Address of the verifier that signed.")

    def signature_bytes(self) -> bytes:
        """The signature, decoded."""
        return from_hex(self.signature)


class EpochRootBody(CosignatureBody):
    """A verifier's signature under an epoch's root."""

    message: Annotated[MessageFields, WithJsonSchema(schema_of(EpochRoot))] = Field(
        description="The epoch's root that the verifier signed."
    )


class VerifierFaultBody(CosignatureBody):
    """A verifier's signature under another verifier's fault."""

    message: Annotated[MessageFields, WithJsonSchema(schema_of(VerifierFault))] = Field(
        description="The fault that the verifier signed."
    )


class NodeFaultBody(CosignatureBody):
    """A verifier's signature under a node's fault."""

    message: Annotated[MessageFields, WithJsonSchema(schema_of(NodeFault))] = Field(
        description="The fault that the verifier signed."
    )


class ClaimBody(Body):
    """A request to mint an account's payout lines of one epoch."""

    account: EthAddress = Field(description="Address of the account that the lines pay.")


class EpochClaim(Body):
    """An account's payout lines of one epoch, as a request to mint them."""

    epoch: EpochIndex = Field(description="Number of the epoch, from 1.")
    account: EthAddress = Field(description="Address of the account that the lines pay.")


class ClaimManyBody(Body):
    """A request to mint payout lines of several epochs, each to its own account."""

    claims: Annotated[list[EpochClaim], Field(min_length=1, max_length=PAGE)] = Field(
        description="Epochs and accounts whose payout lines are to be minted."
    )


class SignedClaimBody(Body):
    """A request to mint one payout line to another address, signed by the line's account (EIP-712 `ClaimTo`)."""

    account: EthAddress = Field(description="Address of the account that the line pays, and that signed.")
    index: Annotated[
        int,
        Field(
            strict=True, ge=0, le=LARGEST, examples=[0], json_schema_extra=unit("lines of the epoch, counted from 0")
        ),
        BeforeValidator(whole_number),
    ] = Field(description="Position of the line in the payout tree, from 0.")
    to: EthAddress = Field(description="Address that the line is to be paid to.")
    deadline: UnixSeconds = Field(description="Last second at which the signature counts, as Unix time.")
    signature: Annotated[
        str,
        StringConstraints(pattern=r"^0x([0-9a-fA-F]{2}){0,4096}$"),
        Field(examples=["0x" + "1f" * 32 + "2e" * 32 + "1b"], json_schema_extra=unit("bytes, 0x-hex")),
    ] = Field(description="Signature of the account: of its key, or one that its contract accepts (ERC-1271).")


class CallBody(Body):
    """One call of a proposal, which the timelock makes if the proposal passes."""

    target: EthAddress = Field(description="Address of the contract that is called.")
    value: Annotated[
        str,
        StringConstraints(pattern=UINT256),
        Field(examples=["0"], json_schema_extra=unit("wei, decimal")),
    ] = Field(default="0", description="Amount that is sent with the call, in wei.")
    data: Annotated[
        str,
        StringConstraints(pattern=r"^0x([0-9a-fA-F]{2})*$", max_length=2 + 2 * 32_768),
        Field(examples=["0xa9059cbb"], json_schema_extra=unit("bytes, 0x-hex")),
    ] = Field(description="Bytes of the call (selector and arguments), 32,768 at most.")


class ProposalDraft(Body):
    """A proposal before it is signed: decisions for the runs, then other calls."""

    proposer: EthAddress = Field(description="Address of the proposer.")
    description: Annotated[
        str,
        StringConstraints(min_length=1, max_length=LONGEST_TEXT),
        Field(examples=["Halve the rate#proposer=0x7e5f"]),
    ] = Field(description="Text of the proposal, with its proposer's mark at the end.")
    decisions: Annotated[
        list[tuple[RequestText, RequestText]], Field(max_length=16, examples=[[["inner_lr", "0.001"]]])
    ] = Field(description="Decisions for the runs: pairs of a setting and its new value.")
    calls: Annotated[list[CallBody], Field(max_length=16)] = Field(
        default=[], description="Other calls that the timelock makes if the proposal passes.", examples=[[]]
    )
    deadline: UnixSeconds = Field(description="Last second at which the signature counts, as Unix time.")


class ProposalBody(ProposalDraft):
    """A proposal signed for the Governor (EIP-712 `Proposal`): decisions for the runs, then other calls."""

    signature: Signature = Field(description="Signature of the proposer.")


class BallotBody(Body):
    """A vote signed for the Governor (OpenZeppelin's EIP-712 `Ballot`)."""

    voter: EthAddress = Field(description="Address of the voter.")
    support: Annotated[
        int,
        Field(strict=True, ge=0, le=2, examples=[1], json_schema_extra=unit("0 against, 1 for, 2 abstain")),
        BeforeValidator(whole_number),
    ] = Field(description="The vote: 0 against, 1 for, 2 abstain.")
    signature: Signature = Field(description="Signature of the voter.")


class DelegationBody(Body):
    """A delegation of votes, signed for the token (OpenZeppelin's EIP-712 `Delegation`)."""

    delegator: EthAddress = Field(description="Address of the account that lends its votes.")
    delegatee: EthAddress = Field(description="Address of the account that receives the votes.")
    nonce: Annotated[
        int,
        Field(strict=True, ge=0, le=LARGEST_NUMBER, examples=[0], json_schema_extra=unit("count of the token")),
        BeforeValidator(whole_number),
    ] = Field(description="Nonce of the delegator in the token contract.")
    expiry: UnixSeconds = Field(description="Last second at which the signature counts, as Unix time.")
    signature: KeySignature = Field(description="Signature of the delegator.")
