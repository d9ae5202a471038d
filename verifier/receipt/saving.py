"""A receipt put together by the account's owner: the server names its entries, log and mirrors prove them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from web3 import Web3

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.deployment import Deployment
from contracts.ids import as_address, to_hex
from contracts.messages.fields import from_json
from contracts.messages.for_contracts import EpochRoot
from contracts.messages.for_log import VerifierAnchor
from contracts.messages.signatures import Domain, recover
from contracts.mirrors.finding import find_mirrors
from contracts.mirrors.places import open_place
from contracts.mirrors.reading import LogReader
from contracts.protocol.log.codec import InvalidLeaf, parse
from contracts.protocol.log.signed import read_envelope
from contracts.protocol.receipt import Contracts, ProvenEntry, Receipt
from contracts.tlog.keys import SignatureType, VerifierKey
from contracts.tlog.policy import Policy, k_of_n
from contracts.tlog.policy_text import format_policy
from contracts.wire.epochs import ReceiptParts
from contracts.wire.fields import Object
from trainer.client import ApiClient
from verifier.receipt.heads import cosigned_head

KIND = "verifier-anchor"


@dataclass(frozen=True)
class VerifierQuorum:
    """The verifiers, and k: the number of them that decide."""

    verifiers: tuple[str, ...]
    k: int

    @classmethod
    def of(cls, client: ApiClient, deployment: Deployment, w3: Web3 | None) -> VerifierQuorum:
        """The chain's word, or the server's where no chain is asked."""
        if w3 is None:
            return cls(tuple(client.network.verifiers), client.network.threshold)
        registry = VerifierRegistry(w3, deployment.verifier_registry)
        return cls(tuple(registry.verifiers()), registry.threshold())


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
    log = deployment.log_key()
    domain = Domain(deployment.chain_id, deployment.model_registry)
    server = open_place(client.base_url, log)
    now = LogReader(server, log)
    anchors = [now.entry(index).decode() for index in parts.anchors]
    policy = _policy(log, anchors, quorum, domain)
    mirrors, _ = find_mirrors(deployment, domain, quorum.verifiers, server, client.base_url)
    note = cosigned_head(mirrors, policy, max(parts.entries) + 1, seconds, waits)
    reader = LogReader(server, log, note)
    return Receipt.from_json(json.dumps(_body(reader, deployment, as_address(account), parts, policy, anchors)))


def anchored_keys(anchors: list[str], domain: Domain) -> dict[str, bytes]:
    """Keys of cosignatures by verifier, from the anchors by which each verifier bound its key; the last of each counts.

    Raises InvalidLeaf, BadField and BadSignature.
    """
    keys: dict[str, bytes] = {}
    for text in anchors:
        body = parse(text)
        if not isinstance(body, dict) or body.pop("kind", None) != KIND:
            raise InvalidLeaf("an anchor is a message of its kind")
        envelope = read_envelope(VerifierAnchor, body)
        anchor = envelope.message
        assert isinstance(anchor, VerifierAnchor), "it was read as one"
        if [recover(anchor, domain, signature) for signature in envelope.signatures] != [anchor.verifier]:
            raise InvalidLeaf(f"an anchor is not signed by {anchor.verifier}")
        keys[anchor.verifier] = anchor.logKey
    return keys


def _policy(log: VerifierKey, anchors: list[str], quorum: VerifierQuorum, domain: Domain) -> Policy:
    keys = anchored_keys(anchors, domain)
    names = [name for name in quorum.verifiers if name in keys]
    return k_of_n(log, {name: VerifierKey(name, SignatureType.COSIGNATURE, keys[name]) for name in names}, quorum.k)


def _body(
    reader: LogReader,
    deployment: Deployment,
    account: str,
    parts: ReceiptParts,
    policy: Policy,
    anchors: list[str],
) -> Object:
    path = reader.tree.consistency_proof(from_json(EpochRoot, parts.epoch).logSize, reader.size)
    entries = [ProvenEntry(body=reader.entry(i).decode(), proof=_proof(reader, i)) for i in parts.entries]
    return {
        "contracts": Contracts.of(deployment).model_dump(),
        "account": account,
        "epoch": parts.epoch,
        "signatures": parts.signatures,
        "consistency": [to_hex(node) for node in path],
        "entries": [entry.model_dump() for entry in entries],
        "payouts": [line.to_json() for line in parts.payouts],
        "policy": format_policy(policy).decode(),
        "anchors": anchors,
    }


def _proof(reader: LogReader, index: int) -> str:
    return reader.prove(index).format().decode()
