"""A server's log under one head that k verifiers signed: what is read of it is what their machines applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from web3 import Web3

from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.deployment import Deployment
from contracts.messages.for_log import VerifierAnchor
from contracts.messages.signatures import Domain, recover
from contracts.mirrors.finding import find_mirrors
from contracts.mirrors.places import open_place
from contracts.mirrors.reading import LogReader
from contracts.protocol.log.codec import InvalidLeaf, parse
from contracts.protocol.log.signed import read_envelope
from contracts.tlog.keys import SignatureType, VerifierKey
from contracts.tlog.policy import Policy, k_of_n
from trainer.client import ApiClient
from verifier.receipt.heads import cosigned_head

KIND = "verifier-anchor"
MOST_ANCHORS = 4_096
"""Of a run: a server names each, and none is checked before it is read."""


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


@dataclass(frozen=True)
class CosignedLog:
    """The log, whose signatures its head bears, and the messages by which verifiers bound their keys."""

    reader: LogReader
    policy: Policy
    anchors: tuple[str, ...]

    def text(self, index: int) -> str:
        """An entry. Raises InvalidLeaf and what reading raises."""
        return text_of(self.reader, index)


def read_cosigned(
    client: ApiClient,
    deployment: Deployment,
    quorum: VerifierQuorum,
    anchors: Sequence[int],
    least: int,
    seconds: float,
    waits: Callable[[str], None] = lambda _: None,
) -> CosignedLog:
    """The log under a head of at least `least` entries. `anchors` are the entries of verifiers' keys.

    Raises HeadsApart, and what the log's reading raises.
    """
    log = deployment.log_key()
    domain = Domain(deployment.chain_id, deployment.model_registry)
    server = open_place(client.base_url, log)
    now = LogReader(server, log)
    if len(anchors) > MOST_ANCHORS:
        raise InvalidLeaf(f"{len(anchors)} anchors are more than {MOST_ANCHORS}")
    texts = tuple(text_of(now, index) for index in sorted(set(anchors)))
    policy = _policy(log, texts, quorum, domain)
    mirrors, _ = find_mirrors(deployment, domain, quorum.verifiers, server, client.base_url)
    note = cosigned_head(mirrors, policy, least, seconds, waits)
    return CosignedLog(LogReader(server, log, note), policy, texts)


def text_of(reader: LogReader, index: int) -> str:
    """An entry of a log. Raises InvalidLeaf for bytes that are no text, and what reading raises."""
    try:
        return reader.entry(index).decode()
    except UnicodeDecodeError as error:
        raise InvalidLeaf(f"entry {index} is no text") from error


def anchored_keys(anchors: Sequence[str], domain: Domain) -> dict[str, bytes]:
    """Keys of cosignatures by verifier, of the messages by which each bound its own; the last of each counts.

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


def _policy(log: VerifierKey, anchors: Sequence[str], quorum: VerifierQuorum, domain: Domain) -> Policy:
    keys = anchored_keys(anchors, domain)
    bound = [name for name in quorum.verifiers if name in keys]
    return k_of_n(log, {name: VerifierKey(name, SignatureType.COSIGNATURE, keys[name]) for name in bound}, quorum.k)
