"""What a contributor takes home of an epoch: one JSON file that proves its work and its pay against roots alone.

The server writes it (ledger/receipts.py), anybody checks it (verifier/receipt.py). Digests, nodes and signatures are
0x-hex, amounts decimal strings of units, messages in their wire form (contracts/messages.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from contracts.deploy import Deployment
from contracts.errors import CommonweightError

Bytes32Text = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{64}$")]
AddressText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
SignatureText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{130}$")]
AmountText = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,77})$")]
Path = Annotated[list[Bytes32Text], Field(max_length=64)]
Place = Annotated[int, Field(ge=0, lt=2**63)]


class MalformedReceipt(CommonweightError):
    """The file is no receipt, or one of a format that this version does not know."""

    code = "receipt-malformed"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Contracts(_Part):
    """The contracts that a receipt speaks of."""

    chain_id: Place
    model: Bytes32Text
    token: AddressText
    verifier_registry: AddressText
    distributor: AddressText
    model_registry: AddressText

    @classmethod
    def of(cls, deployment: Deployment) -> Contracts:
        """Those of a deployment."""
        return cls(**{name: getattr(deployment, name) for name in cls.model_fields})


class SignedHead(_Part):
    """A TreeHead under the operator's signature."""

    message: dict[str, Any]
    signature: SignatureText


class ProvenEntry(_Part):
    """A leaf of the log with its path in the log that the epoch is anchored to."""

    index: Place
    body: str
    path: Path


class ProvenPayout(_Part):
    """A line of the epoch with its proof for the distributor."""

    index: Place
    kind: Annotated[int, Field(ge=0, lt=256)]
    amount: AmountText
    proof: Path


class Receipt(_Part):
    """All that `account` is shown of an epoch. `epoch` is the EpochRoot, `signatures` are verifiers' under it;
    `consistency` leads from the log of the epoch to the signed head."""

    format: Literal["commonweight-receipt-1"] = "commonweight-receipt-1"
    contracts: Contracts
    account: AddressText
    epoch: dict[str, Any]
    signatures: dict[AddressText, SignatureText]
    head: SignedHead
    consistency: Path
    entries: list[ProvenEntry]
    payouts: list[ProvenPayout]

    @classmethod
    def from_json(cls, text: str | bytes) -> Receipt:
        """Read a file strictly. Raises MalformedReceipt."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
            raise MalformedReceipt("; ".join(lines[:5])) from error
