"""Request bodies. A signed message arrives as {"message": ..., "signature": "0x..."} with its companions beside it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Hex32 = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{64}$")]
BlobName = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Signature = Annotated[str, StringConstraints(pattern=r"^0x([0-9a-fA-F]{2}){0,80}$")]
EthAddress = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
Path = Annotated[list[Hex32], Field(max_length=64)]
LARGEST = 2**31 - 1
Number = Annotated[int, InPath(ge=0, le=LARGEST)]


class Body(BaseModel):
    """A request body: exactly the fields that are named."""

    model_config = ConfigDict(extra="forbid")


class Envelope(Body):
    """A signed message in its wire form."""

    message: dict[str, Any]
    signature: Signature

    def signature_bytes(self) -> bytes:
        """The signature, decoded."""
        return bytes.fromhex(self.signature[2:])


class RunBody(Envelope):
    """RunManifest with the configuration (canonical JSON) and the blob of the genesis weights."""

    config: str = Field(max_length=10_000)
    genesis_blob: BlobName


class NodeBody(Envelope):
    """NodeEnrolment with the first round that the node wants to take part in."""

    from_round: int = Field(ge=1, le=LARGEST)


class ProofBody(Envelope):
    """StepProof with the gradient's blob and the paths of the first and last entry."""

    gradient_blob: BlobName
    first_path: Path
    last_path: Path


class OpeningBody(Envelope):
    """Opening with its Merkle path."""

    path: Path


class MergeBody(Envelope):
    """MergeAttestation with the blobs of the new weights and momentum."""

    theta_blob: BlobName
    momentum_blob: BlobName


class CosignatureBody(Envelope):
    """What k verifiers sign for the chain; the signer is named, since the message does not."""

    signer: EthAddress


class ContributionBody(Body):
    """A code or data contribution, with the maintainers' signatures by address."""

    contribution: Literal["CodeContribution", "DataContribution"]
    message: dict[str, Any]
    signatures: Annotated[dict[EthAddress, Signature], Field(min_length=1, max_length=32)]


class ClaimBody(Body):
    """Whose lines of an epoch are to be minted."""

    account: EthAddress


class ProposalBody(Body):
    """A proposal signed for the Governor (EIP-712 `Proposal`)."""

    proposer: EthAddress
    description: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    decisions: Annotated[list[tuple[str, str]], Field(min_length=1, max_length=16)]
    deadline: int = Field(ge=0, lt=2**64)
    signature: Signature


class BallotBody(Body):
    """A vote signed for the Governor (OpenZeppelin's EIP-712 `Ballot`)."""

    voter: EthAddress
    support: int = Field(ge=0, le=2)
    signature: Signature


def octets(text: str) -> bytes:
    """0x-hex to bytes."""
    return bytes.fromhex(text[2:])
