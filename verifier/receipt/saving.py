"""A receipt put together by the account's owner: the server names its entries, log and mirrors prove them."""

from __future__ import annotations

import json
from collections.abc import Callable

from contracts.chain.deployment import Deployment
from contracts.ids import as_address, to_hex
from contracts.messages.fields import from_json
from contracts.messages.for_contracts import EpochRoot
from contracts.mirrors.reading import LogReader
from contracts.protocol.receipt import Contracts, ProvenEntry, Receipt
from contracts.tlog.policy_text import format_policy
from contracts.wire.epochs import ReceiptParts
from contracts.wire.fields import Object
from trainer.client import ApiClient
from verifier.receipt.cosigned_log import CosignedLog, VerifierQuorum, read_cosigned


def save_receipt(
    client: ApiClient,
    deployment: Deployment,
    quorum: VerifierQuorum,
    subject: tuple[int, str],
    seconds: float,
    waits: Callable[[str], None] = lambda _: None,
) -> Receipt:
    """The receipt for an epoch and an account (`subject`). Raises ApiProblem, HeadsApart, and what the log's reading
    raises."""
    epoch, account = subject
    parts = client.read(ReceiptParts, f"/receipts/{epoch}/{account}")
    log = read_cosigned(client, deployment, quorum, parts.anchors, max(parts.entries) + 1, seconds, waits)
    return Receipt.from_json(json.dumps(_body(log, deployment, as_address(account), parts)))


def _body(
    log: CosignedLog,
    deployment: Deployment,
    account: str,
    parts: ReceiptParts,
) -> Object:
    reader = log.reader
    path = reader.tree.consistency_proof(from_json(EpochRoot, parts.epoch).logSize, reader.size)
    entries = [ProvenEntry(body=log.text(i), proof=_proof(reader, i)) for i in parts.entries]
    return {
        "contracts": Contracts.of(deployment).model_dump(),
        "account": account,
        "epoch": parts.epoch,
        "signatures": parts.signatures,
        "consistency": [to_hex(node) for node in path],
        "entries": [entry.model_dump() for entry in entries],
        "payouts": [line.to_json() for line in parts.payouts],
        "policy": format_policy(log.policy).decode(),
        "anchors": list(log.anchors),
    }


def _proof(reader: LogReader, index: int) -> str:
    return reader.prove(index).format().decode()
