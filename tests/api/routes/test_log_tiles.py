"""The log as static files: what the tiles hold is the log under the operator's head, and odd paths name nothing."""

from __future__ import annotations

import pytest

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.tlog.bundles import parse_bundle
from contracts.tlog.checkpoint import open_checkpoint
from tests.holds import Threat, holds
from tests.house import House, check_refused

pytestmark = pytest.mark.integration


@holds(
    "The tiles hold the log under the operator's head",
    by="ledger/public_log/tiles.py:tile",
    against=Threat.REWRITTEN_LOG,
)
def test_tiles_hold_the_log_under_its_head(stage: House) -> None:
    note = stage.client.get("/log/checkpoint")
    assert note.headers["cache-control"] == "no-store"
    head = open_checkpoint(note.content, stage.place.deployment.log_key())
    tile = stage.client.get(f"/log/tile/entries/000.p/{head.size}")
    assert "immutable" in tile.headers["cache-control"]
    entries = list(parse_bundle(tile.content, head.size))
    assert entries == [entry["body"].encode() for entry in stage.get("/log/entries", limit=1000)["entries"]]
    assert SHA256_TREE.root(entries) == head.root
    hashes = stage.client.get(f"/log/tile/0/000.p/{head.size}").content
    assert hashes == b"".join(SHA256_TREE.leaf_hash(entry) for entry in entries)


ODD = (
    "",
    "tile",
    "tile/",
    "tile/0",
    "tile/0/000",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/999",
    "tile/0/000.p/01",
    "tile/0/000.p/1/",
    "tile/0/000.p/-1",
    "tile/0/00",
    "tile/0/0000",
    "tile/0/x000/000.p/1",
    "tile/1/000.p/1",
    "tile/00/000.p/1",
    "tile/64/000.p/1",
    "tile/-1/000",
    "tile/entries/000",
    "tile/entries/000.p/256",
    "tile/entries/x999/999",
    "tile/0/" + "x999/" * 7 + "999",
    "tile/0/000.p/1%00",
    "tile/0/%2e%2e/000.p/1",
    "tile/0/000.p/%D9%A1",
    "tile/0//000.p/1",
    "..%2fv1%2fnetwork",
    "tile\\0\\000.p\\1",
    "checkpoint/",
    "TILE/0/000.p/1",
)
"""Of a log of fewer than 256 entries."""


@pytest.mark.parametrize("path", ODD)
def test_an_odd_path_names_no_tile(stage: House, path: str) -> None:
    assert stage.get("/log/size", above=0, wait=5)["size"] < 256
    check_refused(stage.client.get(f"/log/{path}"), 404, "not-found")


def test_a_tile_cannot_be_written(stage: House) -> None:
    check_refused(stage.client.put("/log/tile/0/000.p/1", content=b"x"), 405, "method-not-allowed")
