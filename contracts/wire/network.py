"""What is to be signed for: chain, contracts, verifiers, limits; and where mirrors are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.messages.fields import LARGEST_NUMBER
from contracts.wire.fields import (
    Address,
    BlockNumber,
    Bytes,
    Count,
    Digest,
    EpochNumber,
    Object,
    Part,
    Text,
    unit,
)

ChainId = Annotated[int, Field(ge=0, le=LARGEST_NUMBER, examples=[1], json_schema_extra=unit("id of the chain"))]
NoAddress = Annotated[
    str,
    Field(
        pattern=r"^(0x[0-9a-fA-F]{40})?$",
        examples=["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"],
        json_schema_extra=unit("20 bytes, 0x-hex"),
    ),
]


class DeployedModel(Part):
    """Where one model lives: what `contracts/chain/deployment.py:Deployment` reads and checks."""

    chain_id: ChainId = Field(description="The chain, as EIP-155 has it.")
    block: BlockNumber = Field(description="The block of the model's registration.")
    name: Text = Field(description="The model's name in the registry.")
    model: Digest = Field(description="The model's id.")
    deployer: Address = Field(description="Who deployed the contracts.")
    token: Address = Field(description="The ModelToken.")
    timelock: Address = Field(description="The ModelTimelock.")
    governor: Address = Field(description="The ModelGovernor.")
    verifier_registry: Address = Field(description="The VerifierRegistry, whose domain epoch roots and faults have.")
    distributor: Address = Field(description="The EpochDistributor, which pays epochs.")
    splitter: Address = Field(description="The RevenueSplitter.")
    model_registry: Address = Field(description="The ModelRegistry, whose domain the log's messages have.")
    pool: NoAddress = Field(description="The CapitalPool; empty where there is no funding round.")
    log: Text = Field(description="The operator's key of the transparency log, as C2SP writes it.")
    mirrors: list[Text] = Field(
        description="Where verifiers served their mirrors at first: lines of an address and a URL.",
        examples=[["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf https://mirror.example"]],
    )
    creations: list[Digest] = Field(description="Hashes of the transactions that made the contracts, in their order.")


class Unseen(Part):
    """What the chain has of epochs and this log lacks: the sign of a log that lost its end."""

    epochs: list[EpochNumber] = Field(description="Epochs with a root on the chain and no closing here.")
    signed_over: Count = Field(description="Entries of the largest log that a root was signed over; 0 if not more.")
    entries: Count = Field(description="Entries of this log.")
    detail: Text = Field(description="What is missing, and what the operator has to do.")


class Network(Part):
    """What a client signs for, and the limits that it keeps to."""

    chain_id: ChainId = Field(description="The chain of the signing domain.")
    deployment: DeployedModel = Field(description="The model's contracts.")
    operator: Address = Field(description="Who signs the log's heads and relays calls.")
    verifiers: list[Address] = Field(description="Verifiers that are admitted, by the log.")
    threshold: Count = Field(description="How many verifiers decide.")
    max_blob_bytes: Bytes = Field(description="The largest blob that is taken.")
    unseen: Unseen | None = Field(description="What the chain has and this log lacks; null where nothing is.")


class MirrorPlace(Part):
    """Where one verifier serves its copy of the log."""

    verifier: Address = Field(description="The verifier.")
    url: Annotated[str, Field(examples=["https://mirror.example"])] | None = Field(
        description="Where its mirror answers; null where there is none."
    )
    message: Object | None = Field(
        description="The message that says so, with its signature; null where the deployment alone does.",
        examples=[{"beside": {}, "kind": "mirror-address", "message": {}, "signatures": []}],
    )


class Mirrors(Part):
    """Verifiers' mirrors, in the form of a mirror's own list."""

    mirrors: list[MirrorPlace] = Field(description="By verifier: the newest address that it signed.")
    evidence: list[Object] = Field(description="Two logs under one signature; always empty here.", examples=[[]])
