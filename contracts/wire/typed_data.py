"""What a wallet signs for each action: typed data (EIP-712) as `eth_signTypedData_v4` takes it.

It is the server's word, to be shown and compared. Whoever signs makes it anew of what he means, and signs nothing where
the digests differ: a server that gives another message would have it signed blindly.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from contracts.messages.fields import LARGEST_NUMBER
from contracts.wire.fields import (
    LARGEST,
    UINT256,
    Address,
    Body,
    Digest,
    EthAddress,
    MessageFields,
    Object,
    Part,
    Text,
    unit,
    whole_number,
)
from contracts.wire.requests import EpochIndex, ProposalDraft, UnixSeconds


class ClaimElsewhere(Body):
    """A line of a final epoch is to be paid to another address (`ClaimTo` of the distributor)."""

    action: Literal["claim-elsewhere"] = Field(description="What is signed.", examples=["claim-elsewhere"])
    epoch: EpochIndex = Field(description="The epoch.")
    index: Annotated[
        int,
        Field(strict=True, ge=0, le=LARGEST, examples=[0], json_schema_extra=unit("lines of the epoch, from 0")),
        BeforeValidator(whole_number),
    ] = Field(description="The line.")
    account: EthAddress = Field(description="Whose line it is.")
    to: EthAddress = Field(description="Where it is to be paid.")
    deadline: UnixSeconds = Field(description="The last second at which the signature counts.")


class Vote(Body):
    """A vote on a proposal (`Ballot` of the Governor)."""

    action: Literal["vote"] = Field(description="What is signed.", examples=["vote"])
    proposal: Annotated[str, StringConstraints(pattern=UINT256), Field(examples=["8310972349871"])] = Field(
        description="The proposal's id."
    )
    voter: EthAddress = Field(description="Who votes.")
    support: Annotated[
        int,
        Field(strict=True, ge=0, le=2, examples=[1], json_schema_extra=unit("0 against, 1 for, 2 abstain")),
        BeforeValidator(whole_number),
    ] = Field(description="What it says.")


class Propose(ProposalDraft):
    """A proposal (`Proposal` of the Governor)."""

    action: Literal["propose"] = Field(description="What is signed.", examples=["propose"])


class Delegate(Body):
    """Votes are lent (`Delegation` of the token)."""

    action: Literal["delegate"] = Field(description="What is signed.", examples=["delegate"])
    delegator: EthAddress = Field(description="Who lends.")
    delegatee: EthAddress = Field(description="To whom.")
    expiry: UnixSeconds = Field(description="The last second at which the signature counts.")


class SayMessage(Body):
    """A message for the log, or what k verifiers sign for the chain: a contribution, an enrolment, an epoch's root."""

    action: Literal["message"] = Field(description="What is signed.", examples=["message"])
    kind: Annotated[str, StringConstraints(max_length=64), Field(examples=["contribution"])] = Field(
        description="The struct, by its name in the log: contracts/messages/for_log.py and for_contracts.py."
    )
    message: MessageFields = Field(description="Its fields in their wire form.", examples=[{}])


ToSign = Annotated[ClaimElsewhere | Vote | Propose | Delegate | SayMessage, Field(discriminator="action")]


class SigningDomain(Part):
    """An EIP-712 domain: a signature counts for this chain and contract alone."""

    name: Text = Field(description="Of the contract, or `Commonweight`.")
    version: Text = Field(description="The version of the messages.")
    chainId: Annotated[int, Field(ge=0, le=LARGEST_NUMBER, examples=[1], json_schema_extra=unit("id of the chain"))] = (
        Field(description="The chain.")
    )
    verifyingContract: Address = Field(description="The contract that checks the signature, or names the model.")


class TypedField(Part):
    """A field of a struct."""

    name: Annotated[str, Field(examples=["deadline"])] = Field(description="Its name.")
    type: Annotated[str, Field(examples=["uint256"])] = Field(description="Its Solidity type.")


class TypedData(Part):
    """What a wallet signs, and the digest that it comes to."""

    domain: SigningDomain = Field(description="For whom it counts.")
    types: dict[str, list[TypedField]] = Field(
        description="The structs by name, EIP712Domain among them.", examples=[{}]
    )
    primaryType: Annotated[str, Field(examples=["Ballot"])] = Field(description="The struct that is signed.")
    message: Object = Field(
        description="Its fields; whole numbers beyond 2^53 - 1 are decimal strings.", examples=[{"support": 1}]
    )
    digest: Digest = Field(description="The 32 bytes that are signed.")
