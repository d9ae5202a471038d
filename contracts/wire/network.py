"""The network that clients sign messages for (chain, contracts, verifiers, limits), and the addresses of mirrors."""

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
    """The contracts and the log key of one model, as contracts/chain/deployment.py:Deployment reads and checks them."""

    chain_id: ChainId = Field(description="Chain id (EIP-155).")
    block: BlockNumber = Field(description="Block of the model's registration.")
    name: Text = Field(description="Name of the model in the ModelRegistry.")
    model: Digest = Field(description="Id of the model in the ModelRegistry.")
    deployer: Address = Field(description="Address that deployed the contracts.")
    token: Address = Field(description="Address of the ModelToken contract.")
    timelock: Address = Field(description="Address of the ModelTimelock contract.")
    governor: Address = Field(description="Address of the ModelGovernor contract.")
    verifier_registry: Address = Field(
        description="Address of the VerifierRegistry contract, in whose domain epoch roots and faults are signed."
    )
    distributor: Address = Field(description="Address of the EpochDistributor contract, which pays epochs.")
    splitter: Address = Field(description="Address of the RevenueSplitter contract.")
    model_registry: Address = Field(
        description="Address of the ModelRegistry contract, in whose domain messages of the log are signed."
    )
    pool: NoAddress = Field(description="Address of the CapitalPool contract; empty if the model has no funding round.")
    log: Text = Field(description="The operator's public key of the transparency log, as a C2SP verifier key.")
    mirrors: list[Text] = Field(
        description="First addresses of the verifiers' mirrors: each line is an address, a space and a URL.",
        examples=[["0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf https://mirror.example"]],
    )
    creations: list[Digest] = Field(
        description="Hashes of the transactions that created the contracts, in their order."
    )


class Unseen(Part):
    """What the chain has of epochs and this log lacks. It is the sign of a log that lost its last entries."""

    epochs: list[EpochNumber] = Field(
        description="Numbers of the epochs that have a root on the chain and are not closed in this log."
    )
    signed_over: Count = Field(
        description="Number of entries of the largest log under a root on the chain; 0 if this log is not shorter."
    )
    entries: Count = Field(description="Number of entries in this log.")
    detail: Text = Field(description="What is missing, and what the operator has to do, in words.")


class Network(Part):
    """The network that a client signs messages for, and the limits of this server."""

    chain_id: ChainId = Field(description="Chain id of the signing domain.")
    deployment: DeployedModel = Field(description="The model's contracts.")
    operator: Address = Field(description="Address of the operator, who signs the heads of the log and relays calls.")
    verifiers: list[Address] = Field(description="Addresses of the verifiers that are admitted, according to the log.")
    threshold: Count = Field(description="Number of verifiers that decide together (k).")
    max_blob_bytes: Bytes = Field(description="Size of the largest blob that the server takes, in bytes.")
    unseen: Unseen | None = Field(description="What the chain has and this log lacks; null if nothing is missing.")


class MirrorPlace(Part):
    """The address at which one verifier serves its copy of the log."""

    verifier: Address = Field(description="Address of the verifier.")
    url: Annotated[str, Field(examples=["https://mirror.example"])] | None = Field(
        description="URL of the verifier's mirror; null if it has none."
    )
    message: Object | None = Field(
        description="Signed message of the verifier that names this URL; null if only the deployment names it.",
        examples=[{"beside": {}, "kind": "mirror-address", "message": {}, "signatures": []}],
    )


class Mirrors(Part):
    """The verifiers' mirrors, in the form in which a mirror lists them."""

    mirrors: list[MirrorPlace] = Field(description="One line a verifier, with the newest address that it signed.")
    evidence: list[Object] = Field(
        description="Pairs of different logs under one signature; only mirrors keep them, so a server's list is empty.",
        examples=[[]],
    )
