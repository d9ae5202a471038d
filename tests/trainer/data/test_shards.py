"""From text to shards and back: what is trained on is what was written, and nothing else is read as it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from contracts.tensors.tensorfile import pack
from tests.trainer.data import corpora
from trainer.data.cache import FolderFiles
from trainer.data.corpora import INDEX
from trainer.data.corpus import CorpusUnreachable, WrongCorpus
from trainer.data.index import CorpusIndex, IndexedFile, IndexedShard, read_index
from trainer.data.making.tokenizing import CorpusTokenizer, trained
from trainer.data.shards import indexed_corpus, read_shard

pytestmark = pytest.mark.unit


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return corpora.written(tmp_path / "text")


@pytest.fixture
def index(tmp_path: Path, text: Path) -> CorpusIndex:
    return corpora.made(tmp_path / "corpus", text)


def test_bytes_come_back_as_they_were(tmp_path: Path, text: Path, index: CorpusIndex) -> None:
    found = indexed_corpus(index, FolderFiles(tmp_path / "corpus"), "there")
    whole = b"".join(path.read_bytes() for path in sorted(text.iterdir()))
    trained_on = b"".join(shard.read().tobytes() for source in found.sources for shard in source.shards)
    held_out = found.held_out().tobytes()
    assert len(trained_on) + len(held_out) == len(whole)
    assert held_out in whole, "one piece, at least"
    assert whole.startswith(held_out[:1000])
    assert held_out not in trained_on
    assert len(index.sources[0].shards) > 5


def test_tokens_come_back_as_the_text(tmp_path: Path, text: Path) -> None:
    tokenizer = trained([(text / "one.txt").read_text()], 400)
    index = corpora.made(tmp_path / "corpus", text, tokenizer)
    assert index.tokenizer is not None
    assert (index.vocab, index.dtype) == (400, "U16")
    found = indexed_corpus(index, FolderFiles(tmp_path / "corpus"), "there")
    tokens = np.concatenate([shard.read() for source in found.sources for shard in source.shards])
    assert (tokens == index.tokenizer.document_end).sum() == index.sources[0].documents == 2
    said = tokenizer.model.decode(tokens[tokens != index.tokenizer.document_end].tolist())
    whole = "".join(path.read_text() for path in sorted(text.iterdir()))
    assert said in whole
    assert len(tokens) < 0.6 * len(said)


def test_what_was_made_twice_has_one_digest(tmp_path: Path, text: Path, index: CorpusIndex) -> None:
    again = corpora.made(tmp_path / "again", text)
    assert again.digest() == index.digest()
    assert corpora.made(tmp_path / "other", text, shard_tokens=30_000).digest() != index.digest()


def test_names_in_nfc_and_nfd_give_one_digest(tmp_path: Path) -> None:
    for folder, names in (("nfc", ("caf\u00e9", "cafz")), ("nfd", ("cafe\u0301", "cafz"))):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text(f"{'z' in name}: text\n" * 9000)
    digests = {corpora.made(tmp_path / f"{name}-made", tmp_path / name).digest() for name in ("nfc", "nfd")}
    assert len(digests) == 1


def test_an_index_is_read_as_it_was_written(tmp_path: Path, index: CorpusIndex) -> None:
    data = (tmp_path / "corpus" / INDEX).read_bytes()
    assert read_index(data, "here") == index
    assert index.sources[0].licence == "CC0-1.0"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (b'"tokens":5000', b'"tokens":"5000"', "held_out.tokens"),
        (b'"name":"prose"', b'"name":"Prose"', "sources.0.name"),
        (b'"format":"commonweight corpus 1"', b'"format":"commonweight corpus 2"', "format"),
        (b'"tokenizer":null', b'"tokenizer":null,"more":1', "more"),
        (b'"tokenizer":null', b'"tokenizer": null', "as this release writes"),
        (b"{", b"[", "the whole"),
    ],
    ids=["text", "name", "format", "more", "spelling", "json"],
)
def test_another_index_is_refused_by_its_field(
    tmp_path: Path, index: CorpusIndex, old: bytes, new: bytes, field: str
) -> None:
    data = (tmp_path / "corpus" / INDEX).read_bytes()
    assert old in data
    with pytest.raises(WrongCorpus, match=field):
        read_index(data.replace(old, new, 1), "here")


def test_a_shard_that_changed_on_disk_is_refused(tmp_path: Path, index: CorpusIndex) -> None:
    shard = index.sources[0].shards[2]
    path = tmp_path / "corpus" / shard.blob
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    found = indexed_corpus(index, FolderFiles(tmp_path / "corpus"), "there")
    found.sources[0].shards[1].read()
    with pytest.raises(WrongCorpus, match="it changed on disk"):
        found.sources[0].shards[2].read()
    assert path.exists(), "a file of the user's is not removed"
    path.unlink()
    with pytest.raises(CorpusUnreachable, match="cannot be read"):
        found.sources[0].shards[2].read()


BROKEN = {
    "fewer tokens": pack({"tokens": np.zeros(9, np.uint8)}),
    "other kind": pack({"tokens": np.zeros(10, np.uint16)}),
    "other name": pack({"token": np.zeros(10, np.uint8)}),
    "two tensors": pack({"tokens": np.zeros(10, np.uint8), "z": np.zeros(1, np.uint8)}),
    "more bytes": pack({"tokens": np.zeros(10, np.uint8)}) + b"x",
    "no header": b"",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_shard_of_another_form_is_refused(tmp_path: Path, index: CorpusIndex, name: str) -> None:
    (tmp_path / "shard").write_bytes(BROKEN[name])
    with pytest.raises(WrongCorpus, match="is no shard of 10 tokens of U8"):
        read_shard(tmp_path / "shard", IndexedShard(blob="00" * 32, size=max(len(BROKEN[name]), 1), tokens=10), index)


def test_a_token_that_the_vocabulary_has_not_is_refused(tmp_path: Path, text: Path) -> None:
    index = corpora.made(tmp_path / "corpus", text, CorpusTokenizer())
    small = index.model_copy(update={"tokenizer": None})
    data = pack({"tokens": np.array([1, 300, 2], np.uint16)})
    (tmp_path / "shard").write_bytes(data)
    wide = trained(["some text"], 290).indexed()
    assert wide is not None
    with pytest.raises(WrongCorpus, match=f"has the token 300, and the vocabulary has {wide.vocab}"):
        read_shard(
            tmp_path / "shard",
            IndexedShard(blob="00" * 32, size=len(data), tokens=3),
            small.model_copy(update={"tokenizer": wide}),
        )


def test_a_mapped_shard_that_changes_on_disk_is_refused(tmp_path: Path, index: CorpusIndex) -> None:
    """A folder may be mounted: bytes that change under a mapping would make an honest node's steps others."""
    found = indexed_corpus(index, FolderFiles(tmp_path / "corpus"), "there")
    shard = found.sources[0].shards[0]
    shard.read()
    with (tmp_path / "corpus" / shard.name).open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    with pytest.raises(WrongCorpus, match="changed on disk"):
        shard.read()


def test_a_device_in_a_folder_is_not_hashed(tmp_path: Path, index: CorpusIndex) -> None:
    """It has no end."""
    path = tmp_path / "corpus" / index.held_out.blob
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(WrongCorpus, match="no file of"):
        FolderFiles(tmp_path / "corpus").path(index.held_out)


@pytest.mark.parametrize("times", [3, 99])
def test_a_shard_that_another_worker_removes_is_fetched_anew(tmp_path: Path, index: CorpusIndex, times: int) -> None:
    """Two workers share a cache of less than both need: the one makes room before the other has opened its file."""
    left = [times]
    folder = FolderFiles(tmp_path / "corpus")

    def path(file: IndexedFile) -> Path:
        left[0] -= 1
        return tmp_path / "gone" if left[0] >= 0 else folder.path(file)

    found = indexed_corpus(index, SimpleNamespace(path=path, check=lambda _file: None), "there")
    if times == 3:
        assert len(found.held_out()) == index.held_out.tokens
        return
    with pytest.raises(CorpusUnreachable, match="corpus_limit is too small"):
        found.held_out()
