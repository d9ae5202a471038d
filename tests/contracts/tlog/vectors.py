"""Bytes that others published, with where they stand, and the keys and trees that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import StoredTree
from contracts.tlog.bundles import format_bundle
from contracts.tlog.keys import SignatureType, SigningKey, VerifierKey
from contracts.tlog.tile_tree import tile_bytes
from contracts.tlog.tiles import Tile


def published(name: str) -> bytes:
    """A file of the folder beside this one: bytes as others wrote them."""
    return (Path(__file__).parent / "published" / name).read_bytes()


# C2SP/C2SP, signed-note.md at 0552876: a note whose text has an empty line; its key is not published.
POEM = published("poem.note")

# C2SP/C2SP, signed-note.md at d4c16da, section "Example": with its key.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = published("example.note")

# golang/mod, the documentation of sumdb/note: with both sides of its key.
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SECRET = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER_NOTE = published("go.note")

# C2SP/C2SP, tlog-checkpoint.md at 2793893, and with the witness's line tlog-cosignature.md at 01194db. The signature is
# the one of the Go checksum database over the same size and root, under the origin that this database has.
SOFA = published("sofa.checkpoint")
SOFA_WITNESS = published("sofa.cosignature")
SOFA_SIGNED = b"""cosignature/v1
time 1679315147
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
"""
GO_DATABASE_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

# A checkpoint of the log "arche", signed with the kind 0x01 and cosigned with 0x04, as tests of tlog-scales quote it.
ARCHE = published("arche.checkpoint")
ARCHE_KEY = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
ARCHE_WITNESSES = {
    "remora": "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "garden": "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "smartit": "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "stagemole": "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
}

# C2SP/C2SP, tlog-witness.md at 055270b: a request; tlog-mirror.md at 0838f7b: the answer of a mirror that signed.
ADD_CHECKPOINT = published("add-checkpoint.request")
MIRROR_ANSWER = published("add-checkpoint.answer")

# C2SP/C2SP, tlog-proof.md at 0065ea5: its lines before the checkpoint, and the checkpoint's text. The document shortens
# the signatures to "[...]", so a test has to add one.
PROOF_HEAD = b"""c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

"""
PROOF_CHECKPOINT = "example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n"

# C2SP/C2SP, tlog-policy.md at 13027ee: the example, whose keys are left open there.
POLICY = """log {log}

witness X1 {x1}
witness X2 {x2}
witness X3 {x3}
group X-witnesses 2 X1 X2 X3

witness Y1 {y1}
witness Y2 {y2}
witness Y3 {y3}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""

ORIGIN = "log.example/run"
NOW = 1_790_000_000


def secret(name: str) -> SigningKey:
    """A key for each name."""
    return SigningKey.derive(b"tests of the log's formats: 32 b", name)


def log_key(origin: str = ORIGIN) -> VerifierKey:
    return secret(origin).verifier(origin, SignatureType.NOTE)


def mirror_key(name: str) -> VerifierKey:
    return secret(name).verifier(f"{name}.example", SignatureType.COSIGNATURE)


class Shelf:
    """A stored tree over entries, with every tile and bundle that it has."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries = list(entries)
        self.tree = StoredTree(self._fetch)
        self._nodes: list[bytes] = []
        self._nodes = self.tree.grown(0, [SHA256_TREE.leaf_hash(entry) for entry in entries])

    def root(self, size: int | None = None) -> bytes:
        return self.tree.root(len(self.entries) if size is None else size)

    def read(self, tile: Tile) -> bytes:
        if tile.entries:
            return format_bundle(self.entries[tile.index * 256 :][: tile.width])
        return tile_bytes(self._fetch, tile)

    def _fetch(self, numbers: Sequence[int]) -> Mapping[int, bytes]:
        return {number: self._nodes[number] for number in numbers if number < len(self._nodes)}
