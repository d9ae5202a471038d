"""Typed data (EIP-712) that a wallet signs for each action, in the form that `eth_signTypedData_v4` takes.

The typed data is only the server's word. A signer makes the same data from the intended action, and signs nothing if
the digests differ. Otherwise a server could have another message signed blindly.
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

    action: Literal["claim-elsewhere"] = Field(description="Name of the action to sign.", examples=["claim-elsewhere"])
    epoch: EpochIndex = Field(description="Number of the epoch, from 1.")
    index: Annotated[
        int,
        Field(strict=True, ge=0, le=LARGEST, examples=[0], json_schema_extra=unit("lines of the epoch, from 0")),
        BeforeValidator(whole_number),
    ] = Field(description="Position of the line in the payout tree, from 0.")
    account: EthAddress = Field(description="Address of the account that the line pays.")
    to: EthAddress = Field(description="Address that the line is to be paid to.")
    deadline: UnixSeconds = Field(description="Last second at which the signature counts, as Unix time.")


class Vote(Body):
    """A vote on a proposal (`Ballot` of the Governor)."""

    action: Literal["vote"] = Field(description="Name of the action to sign.", examples=["vote"])
    proposal: Annotated[str, StringConstraints(pattern=UINT256), Field(examples=["8310972349871"])] = Field(
        description="Id of the proposal."
    )
    voter: EthAddress = Field(description="Address of the voter.")
    support: Annotated[
        int,
        Field(strict=True, ge=0, le=2, examples=[1], json_schema_extra=unit("0 against, 1 for, 2 abstain")),
        BeforeValidator(whole_number),
    ] = Field(description="The vote: 0 against, 1 for, 2 abstain.")


class Propose(ProposalDraft):
    """A proposal (`Proposal` of the Governor)."""

    action: Literal["propose"] = Field(description="Name of the action to sign.", examples=["propose"])


class Delegate(Body):
    """A delegation of votes (`Delegation` of the token)."""

    action: Literal["delegate"] = Field(description="Name of the action to sign.", examples=["delegate"])
    delegator: EthAddress = Field(description="Address of the account that lends its votes.")
    delegatee: EthAddress = Field(description="Address of the account that receives the votes.")
    expiry: UnixSeconds = Field(description="Last second at which the signature counts, as Unix time.")


class SayMessage(Body):
    """A message of the log, or a message that k verifiers sign for the chain, such as an epoch's root."""

    action: Literal["message"] = Field(description="Name of the action to sign.", examples=["message"])
    kind: Annotated[str, StringConstraints(max_length=64), Field(examples=["contribution"])] = Field(
        description="Name of the struct: contracts/messages/for_log.py and for_contracts.py."
    )
    message: MessageFields = Field(description="Fields of the struct in their wire form.", examples=[{}])


ToSign = Annotated[ClaimElsewhere | Vote | Propose | Delegate | SayMessage, Field(discriminator="action")]


class SigningDomain(Part):
    """An EIP-712 domain. A signature counts only for the chain and the contract that its domain names."""

    name: Text = Field(description="Name in the domain: that of the contract, or `Commonweight`.")
    version: Text = Field(description="Version of the messages.")
    chainId: Annotated[int, Field(ge=0, le=LARGEST_NUMBER, examples=[1], json_schema_extra=unit("id of the chain"))] = (
        Field(description="Chain id (EIP-155).")
    )
    verifyingContract: Address = Field(
        description="Address of the contract that checks the signature, or that stands for the model."
    )


class TypedField(Part):
    """One field of an EIP-712 struct."""

    name: Annotated[str, Field(examples=["deadline"])] = Field(description="Name of the field.")
    type: Annotated[str, Field(examples=["uint256"])] = Field(description="Solidity type of the field.")


class TypedData(Part):
    """Typed data that a wallet signs (EIP-712), and the digest of it."""

    domain: SigningDomain = Field(description="Domain for which the signature counts.")
    types: dict[str, list[TypedField]] = Field(description="Structs by name, EIP712Domain among them.", examples=[{}])
    primaryType: Annotated[str, Field(examples=["Ballot"])] = Field(description="Name of the struct that is signed.")
    message: Object = Field(
        description="Fields of the struct that is signed; whole numbers beyond 2^53 - 1 are decimal strings.",
        examples=[{"support": 1}],
    )
    digest: Digest = Field(description="Digest that the wallet signs, 32 bytes.")
