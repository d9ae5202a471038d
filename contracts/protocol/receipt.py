"""A contributor's receipt of an epoch: one JSON file that proves its work and its pay without any server.

It is made by verifier/receipt/saving.py and checked by verifier/receipt/checking.py. Each entry of the log comes with a
C2SP `tlog-proof` under a head that k verifiers cosigned. Digests, nodes and signatures are 0x-hex, amounts decimal
strings of units, messages in their wire form (contracts/messages/fields.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.protocol.log.leaf import LARGEST_LEAF
from contracts.tlog.policy_text import MAX_POLICY
from contracts.tlog.proof import MAX_PROOF

Bytes32Text = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{64}$")]
AddressText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
SignatureText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{130}$")]
AmountText = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,77})$")]
LeafText = Annotated[str, StringConstraints(max_length=LARGEST_LEAF)]
Path = Annotated[list[Bytes32Text], Field(max_length=64)]
Place = Annotated[int, Field(ge=0, lt=2**63)]


class MalformedReceipt(CommonweightError):
    """The file is no receipt, or one of a format that this version does not know."""

    code = "receipt-malformed"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Contracts(_Part):
    """The contracts that a receipt speaks of, and the key of the operator's log."""

    chain_id: Place
    model: Bytes32Text
    token: AddressText
    verifier_registry: AddressText
    distributor: AddressText
    model_registry: AddressText
    log: Annotated[str, StringConstraints(max_length=1000)]

    @classmethod
    def of(cls, deployment: Deployment) -> Contracts:
        """The contracts of a deployment."""
        return cls(**{name: getattr(deployment, name) for name in cls.model_fields})


class ProvenEntry(_Part):
    """An entry of the log, and its `tlog-proof` as text."""

    body: LeafText
    proof: Annotated[str, StringConstraints(max_length=MAX_PROOF)]


class ProvenPayout(_Part):
    """A line of the epoch with its proof for the distributor."""

    index: Place
    kind: Annotated[int, Field(ge=0, lt=256)]
    amount: AmountText
    proof: Path


class Receipt(_Part):
    """All that `account` is shown of an epoch. `epoch` is the EpochRoot, `signatures` are verifiers' under it;
    `consistency` leads from the epoch's log to the head that the entries' proofs stand under.

    `policy` names the keys whose heads count, as a `tlog-policy`, and `anchors` are the messages by which these
    verifiers bound their keys to themselves: the receipt's maker claims that they are the verifiers.
    """

    format: Literal["commonweight-receipt-2"] = "commonweight-receipt-2"
    contracts: Contracts
    account: AddressText
    epoch: dict[str, object]
    signatures: dict[AddressText, SignatureText]
    consistency: Path
    entries: list[ProvenEntry]
    payouts: list[ProvenPayout]
    policy: Annotated[str, StringConstraints(max_length=MAX_POLICY)]
    anchors: list[LeafText]

    @classmethod
    def from_json(cls, text: str | bytes) -> Receipt:
        """Read a file strictly. Raises MalformedReceipt."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
            raise MalformedReceipt("; ".join(lines[:5])) from error
