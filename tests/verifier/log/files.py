"""A log as static files, as anybody may host them: what an operator signed over any leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from contracts.chain.deployment import Deployment
from contracts.ids import as_address, to_hex
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import GrowingTree
from contracts.messages.for_contracts import Message
from contracts.messages.for_log import VerifierAnchor
from contracts.protocol.judge.entries import Derived
from contracts.protocol.log.operator import LogSigner
from contracts.tlog.bundles import format_bundle
from contracts.tlog.cosignature import cosign
from contracts.tlog.note import SignedNote
from contracts.tlog.tile_tree import tile_bytes
from contracts.tlog.tiles import WIDTH, tiles_of
from tests.contracts.protocol.log.signed_run import DOMAIN, MODEL, SignedRun, key
from tests.trainer.world import log_key

TIME = 1_700_000_000
OPERATOR = LogSigner.of(bytes(key("operator").key))


def deployment(mirrors: tuple[str, ...] = ()) -> Deployment:
    """Of a signed run, with the operator's key."""
    none = as_address("0x" + "00" * 20)
    return Deployment(
        DOMAIN.chain_id,
        1,
        "m",
        to_hex(MODEL),
        key("creator").address,
        none,
        none,
        none,
        none,
        as_address("0x" + "cd" * 20),
        none,
        as_address(DOMAIN.verifying_contract),
        log=OPERATOR.public.vkey(),
        mirrors=mirrors,
    )


def tree_of(leaves: Sequence[str]) -> GrowingTree:
    """The tree over these leaves."""
    tree = GrowingTree()
    tree.append(SHA256_TREE.leaf_hash(leaf.encode()) for leaf in leaves)
    return tree


def head_of(leaves: Sequence[str], signer: LogSigner = OPERATOR) -> SignedNote:
    """The head over these leaves, signed."""
    return signer.head(len(leaves), tree_of(leaves).root(len(leaves)))


class KeyedRun(SignedRun):
    """With keys of cosignatures in the anchors."""

    def send(self, message: Message, author: LocalAccount, **beside: Any) -> list[Derived]:
        """As it is."""
        if isinstance(message, VerifierAnchor):
            message = replace(message, logKey=log_key(message.verifier).public)
        return super().send(message, author, **beside)


def cosigned(leaves: Sequence[str], *verifiers: str) -> SignedNote:
    """The head over these leaves, as these verifiers sign it."""
    note = head_of(leaves)
    return note.adding(*(cosign(note.text, name, log_key(name), TIME) for name in verifiers))


def write_log(folder: Path, leaves: Sequence[str], signer: LogSigner = OPERATOR) -> Path:
    """All files of a log of these leaves; returns the folder."""
    tree = tree_of(leaves)
    for tile in tiles_of(len(leaves)):
        _write(folder / tile.path(), tile_bytes(tree.stored.fetch, tile))
        if tile.level == 0:
            texts = leaves[tile.index * WIDTH : tile.index * WIDTH + tile.width]
            path = tile.path().replace("tile/0/", "tile/entries/", 1)
            _write(folder / path, format_bundle([text.encode() for text in texts]))
    _write(folder / "checkpoint", head_of(leaves, signer).format())
    return folder


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
