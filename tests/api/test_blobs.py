"""Blobs: only who takes part may store them, and only under the digest of their bytes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from blake3 import blake3
from httpx import Response

from contracts.messages import BlobUpload, to_json
from contracts.signing import sign
from tests.api.stage import Stage, check_changes_nothing
from tests.world import MAX_BLOB, World, check_refused, hexed

pytestmark = pytest.mark.integration
NEW = b"bytes that nobody stored"
Sent = Callable[[Stage], Response]


def _to_other_name(s: Stage) -> Response:
    message = BlobUpload(bytes.fromhex(s.world.run[2:]), s.fresh.address, b"\7" * 32, len(NEW), s.world.deadline())
    return _raw(s, json.dumps(to_json(message)), hexed(sign(message, s.world.domain, bytes(s.fresh.key))))


def _raw(s: Stage, message: str, signature: str) -> Response:
    headers = {"X-Commonweight-Message": message, "X-Commonweight-Signature": signature}
    return s.world.client.put(f"/v1/blobs/{blake3(NEW).hexdigest()}", content=NEW, headers=headers)


REFUSED: dict[str, tuple[int, str, Sent]] = {
    "announced above the limit": (413, "blob-too-large", lambda s: s.world.put(NEW, s.fresh, size=MAX_BLOB + 1)),
    "more than announced": (413, "blob-too-large", lambda s: s.world.put(NEW, s.fresh, sent=NEW + b"!")),
    "above the limit, announced small": (
        413, "blob-too-large", lambda s: s.world.put(NEW, s.fresh, sent=bytes(MAX_BLOB + 1))
    ),
    "less than announced": (422, "blob-mismatch", lambda s: s.world.put(NEW, s.fresh, sent=NEW[:-1])),
    "nothing": (422, "blob-mismatch", lambda s: s.world.put(NEW, s.fresh, sent=b"")),
    "other bytes of that size": (422, "blob-mismatch", lambda s: s.world.put(NEW, s.fresh, sent=NEW[::-1])),
    "signed for another digest": (422, "blob-mismatch", _to_other_name),
    "a stranger": (403, "not-enrolled", lambda s: s.world.put(NEW, s.world.stranger)),
    "a node of another run": (403, "not-enrolled", lambda s: s.world.put(NEW, s.fresh, run=b"\7" * 32)),
    "in another's name": (401, "bad-signature", lambda s: s.world.put(NEW, s.world.stranger, uploader=s.fresh.address)),
    "expired": (422, "message-expired", lambda s: s.world.put(NEW, s.fresh, deadline=s.world.clock.now - 1)),
    "far ahead": (422, "message-expired", lambda s: s.world.put(NEW, s.fresh, deadline=s.world.deadline(86_401))),
    "a size beyond any": (413, "blob-too-large", lambda s: s.world.put(NEW, s.fresh, size=2**64 - 1)),
    "message not JSON": (422, "bad-field", lambda s: _raw(s, "{", "0x" + "11" * 65)),
    "message not an object": (422, "bad-field", lambda s: _raw(s, "[]", "0x" + "11" * 65)),
    "message too deep": (422, "bad-field", lambda s: _raw(s, "[" * 100_000, "0x" + "11" * 65)),
    "signature not hex": (422, "malformed-request", lambda s: _raw(s, "{}", "0xzz")),
    "no headers": (422, "malformed-request", lambda s: s.world.client.put(f"/v1/blobs/{'ab' * 32}", content=NEW)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_upload_is_refused(stage: Stage, name: str) -> None:
    status, code, send = REFUSED[name]
    check_changes_nothing(stage.world, lambda: send(stage), status, code)


@pytest.mark.parametrize("name", ["ab" * 32, "AB" * 32, "..%2f..%2fledger.db", "short"])
def test_what_was_not_stored_is_not_found(stage: Stage, name: str) -> None:
    check_refused(stage.world.client.get(f"/v1/blobs/{name}"), 404, "not-found")


def test_a_blob_comes_back_as_it_was_stored(world: World) -> None:
    world.start()
    data = bytes(range(256)) * 40
    for key in (world.nodes[0], world.verifiers[0], world.creator):
        assert world.blob(data, key) == blake3(data).hexdigest()
    answer = world.client.get(f"/v1/blobs/{blake3(data).hexdigest()}")
    assert (answer.content, answer.headers["content-type"]) == (data, "application/octet-stream")
    assert world.blob(b"", world.nodes[0]) == blake3(b"").hexdigest()
