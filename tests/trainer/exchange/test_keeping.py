"""What a node has to hand lies on its disk: one message under a name for ever, and blobs as long as one names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3

from contracts.messages import for_log as messages
from tests.contracts.protocol.log.signed_run import DOMAIN, key
from trainer.exchange.keeping import KeptMessages, signed_text

pytestmark = pytest.mark.unit

NODE = key("node")
RUN = b"\1" * 32


def text(nonce: int) -> str:
    return signed_text(messages.Leave(RUN, NODE.address, nonce), DOMAIN, bytes(NODE.key), {})


def test_a_name_stands_for_one_message_for_ever(tmp_path: Path) -> None:
    store = KeptMessages(tmp_path)
    first = store.put("leave", text(1))
    assert store.put("leave", text(2)) == first
    assert KeptMessages(tmp_path).get("leave") == first
    assert first.message == messages.Leave(RUN, NODE.address, 1)


def test_the_same_message_has_the_same_text(tmp_path: Path) -> None:
    assert text(1) == text(1)


def test_a_blob_stays_as_long_as_a_message_names_it(tmp_path: Path) -> None:
    store = KeptMessages(tmp_path)
    one, two = store.put("one", text(1), b"bytes"), store.put("two", text(2), b"bytes")
    assert one.blob == two.blob == blake3(b"bytes").hexdigest()
    store.drop("one")
    assert store.blob_path(two.blob).read_bytes() == b"bytes"
    store.drop("two")
    assert not store.blob_path(two.blob).exists()
    assert list(KeptMessages(tmp_path)) == []


def test_what_a_killed_process_left_goes_at_the_next_start(tmp_path: Path) -> None:
    """It wrote a blob and not the message that announces it, and half of another one."""
    kept = KeptMessages(tmp_path).put("one", text(1), b"bytes")
    orphan = tmp_path / "blobs" / blake3(b"orphan").hexdigest()
    for left in (
        orphan,
        tmp_path / "blobs" / "blob.0123456789ab.part",
        tmp_path / "messages" / "x.json.0123456789ab.part",
    ):
        left.write_bytes(b"orphan")
    assert list(KeptMessages(tmp_path)) == [kept]
    found = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert found == sorted([kept.blob, "one.json"])


@pytest.mark.parametrize("spoilt", [b"", b"{}", b'{"text":"{}","blob":""}', b'{"text":5,"blob":""}', b"[]", b"\xff"])
def test_a_spoilt_message_was_never_kept(tmp_path: Path, spoilt: bytes) -> None:
    KeptMessages(tmp_path).put("leave", text(1))
    (tmp_path / "messages" / "leave.json").write_bytes(spoilt)
    assert KeptMessages(tmp_path).get("leave") is None


def test_a_message_whose_blob_is_spoilt_was_never_kept(tmp_path: Path) -> None:
    kept = KeptMessages(tmp_path).put("one", text(1), b"bytes")
    (tmp_path / "blobs" / kept.blob).write_bytes(b"other")
    assert KeptMessages(tmp_path).get("one") is None


def test_a_file_that_was_not_finished_is_passed_over(tmp_path: Path) -> None:
    store = KeptMessages(tmp_path)
    (tmp_path / "messages" / "leave.json.part").write_bytes(b"{")
    assert list(store) == list(KeptMessages(tmp_path)) == []
