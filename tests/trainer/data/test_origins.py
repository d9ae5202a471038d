"""Shards from elsewhere, over real HTTP and an S3 stand-in: no origin is believed, and each is asked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from blake3 import blake3

from contracts.protocol.run_config import RunConfig
from tests.trainer.data import corpora
from tests.trainer.data.served import Served, served_folder
from trainer.data import cache as cache_module
from trainer.data import origins
from trainer.data.cache import CorpusFiles
from trainer.data.corpora import INDEX, Corpora
from trainer.data.corpus import CorpusUnreachable, OtherVocabulary, WrongCorpus
from trainer.data.draw import RoundDraw, Share
from trainer.data.index import CorpusIndex, IndexedFile
from trainer.data.making.tokenizing import trained
from trainer.data.origins import HttpOrigin, origin_of
from trainer.data.place import CorpusSettings

pytestmark = pytest.mark.integration
SEED = b"\x07" * 32
CONFIG = RunConfig(layers=1, d_model=16, heads=2, context=8, steps=4, segment=2, batch=4)


@pytest.fixture
def index(tmp_path: Path) -> CorpusIndex:
    return corpora.made(tmp_path / "corpus", corpora.written(tmp_path / "text"), shard_tokens=2000)


@pytest.fixture
def served(tmp_path: Path, index: CorpusIndex) -> Iterator[Served]:
    with served_folder(tmp_path / "corpus") as found:
        yield found


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "FIRST_WAIT", 0.001)


def test_a_machine_without_the_text_fetches_its_shards_only(tmp_path: Path, served: Served, index: CorpusIndex) -> None:
    """The run says where its corpus lies; nothing else is given."""
    config = replace(CONFIG, corpus_digest=index.digest(), corpus_url=served.url)
    found = Corpora(CorpusSettings(cache=tmp_path / "cache", loopback=True)).of(config)
    assert served.asked == [INDEX]
    needed = RoundDraw(found, config, SEED, 1, Share(0, 3)).shards()
    for shard in needed:
        shard.read()
        shard.read()
    assert served.asked[1:] == [shard.name for shard in needed]
    assert len(needed) < len(index.sources[0].shards) / 10


def test_a_second_start_asks_nobody(tmp_path: Path, served: Served, index: CorpusIndex) -> None:
    config = replace(CONFIG, corpus_digest=index.digest(), corpus_url=served.url)
    for _ in range(2):
        found = Corpora(CorpusSettings(cache=tmp_path / "cache", loopback=True)).of(config)
        found.held_out()
    assert served.asked == [INDEX, index.held_out.blob]


def test_an_address_of_a_run_may_not_mean_this_machine(tmp_path: Path, served: Served, index: CorpusIndex) -> None:
    config = replace(CONFIG, corpus_digest=index.digest(), corpus_url=served.url)
    with pytest.raises(CorpusUnreachable, match="no public address"):
        Corpora(CorpusSettings(cache=tmp_path / "cache")).of(config)
    assert served.asked == []
    chosen = CorpusSettings(corpus=served.url, cache=tmp_path / "cache")
    assert Corpora(chosen).of(config).digest == index.digest()


def test_a_shard_that_does_not_come_is_asked_for_again(tmp_path: Path, served: Served, index: CorpusIndex) -> None:
    files = CorpusFiles(HttpOrigin(served.url, chosen=True), tmp_path / "cache")
    served.broken = 2
    assert files.path(index.held_out).read_bytes()[8:].startswith(b'{"tokens"')
    served.broken = 3
    with pytest.raises(CorpusUnreachable, match="503"):
        files.path(index.sources[0].shards[0])
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [index.held_out.blob]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:-1] + b"?", "other bytes than the index names"),
        (lambda data: data + b"?", "more than the"),
        (lambda data: data[:-1], "broke off"),
    ],
    ids=["other", "longer", "shorter"],
)
def test_bytes_that_are_not_the_indexs_are_refused(  # type: ignore[no-untyped-def]
    tmp_path: Path, served: Served, index: CorpusIndex, change, why: str
) -> None:
    path = served.folder / index.held_out.blob
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CorpusUnreachable, match=why):
        CorpusFiles(HttpOrigin(served.url, chosen=True), tmp_path / "cache").path(index.held_out)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_origin_that_drips_is_given_up(
    tmp_path: Path, served: Served, index: CorpusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute, and not the hours that a large shard may take."""
    clock = count(0, 31)
    monkeypatch.setattr(origins, "monotonic", lambda: next(clock))
    with pytest.raises(CorpusUnreachable, match="fewer than 100,000 bytes a second"):
        CorpusFiles(HttpOrigin(served.url, chosen=True), tmp_path / "cache").path(index.held_out)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_hint_that_is_voted_away_ends_nobody(tmp_path: Path, served: Served, index: CorpusIndex) -> None:
    """What is here is read, and what is not does not come: weather."""
    config = replace(CONFIG, corpus_digest=index.digest(), corpus_url=served.url)
    here = Corpora(CorpusSettings(cache=tmp_path / "cache", loopback=True))
    here.of(config).held_out()
    found = here.of(config.with_decision("corpus_url", ""))
    with pytest.raises(CorpusUnreachable, match="--corpus"):
        found.sources[0].shards[0].read()
    assert len(found.held_out()) == index.held_out.tokens
    with pytest.raises(WrongCorpus):
        Corpora(CorpusSettings(cache=tmp_path / "new")).of(replace(config, corpus_url=""))


def test_making_room_beside_another_worker_does_not_fail(
    tmp_path: Path, served: Served, index: CorpusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = CorpusFiles(HttpOrigin(served.url, chosen=True), tmp_path / "cache", 1)
    monkeypatch.setattr(files._files, "names", lambda: ["ab" * 32])
    assert files.path(index.held_out).is_file()


def test_another_index_under_the_address_is_refused(tmp_path: Path, served: Served) -> None:
    config = replace(CONFIG, corpus_digest="ab" * 32, corpus_url=served.url)
    hint = CorpusSettings(cache=tmp_path / "cache", loopback=True)
    chosen = replace(hint, corpus=served.url)
    for settings, error in ((hint, CorpusUnreachable), (chosen, WrongCorpus)):
        with pytest.raises(error, match="the run trains on the corpus abab"):
            Corpora(settings).of(config)
    (served.folder / INDEX).write_bytes(b"x" * 20)
    for settings, error in ((hint, CorpusUnreachable), (chosen, WrongCorpus)):
        with pytest.raises(error, match="is no index"):
            Corpora(settings).of(config)


def test_a_tokenizer_of_more_tokens_than_the_model_is_refused(tmp_path: Path) -> None:
    text = corpora.written(tmp_path / "text")
    index = corpora.made(tmp_path / "wide", text, trained([(text / "one.txt").read_text()], 300))
    config = replace(CONFIG, corpus_digest=index.digest())
    with pytest.raises(OtherVocabulary, match="has 300 tokens, and the model's vocabulary 256"):
        Corpora(CorpusSettings(corpus=str(tmp_path / "wide"), cache=tmp_path / "cache")).of(config)


def test_the_cache_keeps_to_its_limit(tmp_path: Path, served: Served, index: CorpusIndex) -> None:
    shards = index.sources[0].shards
    limit = 3 * shards[0].size + 10
    files = CorpusFiles(HttpOrigin(served.url, chosen=True), tmp_path / "cache", limit)
    for shard in (*shards[:3], shards[0], shards[3]):
        files.path(shard)
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {shards[i].blob for i in (0, 2, 3)}
    files.path(shards[1])
    assert served.asked.count(shards[1].blob) == 2
    assert served.asked.count(shards[0].blob) == 1


def test_a_bucket_of_s3_is_read(tmp_path: Path, index: CorpusIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        import boto3

        client = boto3.client("s3")
        client.create_bucket(Bucket="texts")
        for path in (tmp_path / "corpus").iterdir():
            client.upload_file(str(path), "texts", f"all/{path.name}")
        config = replace(CONFIG, corpus_digest=index.digest())
        found = Corpora(CorpusSettings(corpus="s3://texts/all", cache=tmp_path / "cache")).of(config)
        assert found.origin == "s3://texts/all"
        assert len(found.held_out()) == index.held_out.tokens
        with pytest.raises(CorpusUnreachable, match="NoSuchKey"):
            CorpusFiles(origin_of("s3://texts/all"), tmp_path / "cache").path(
                IndexedFile(blob=blake3(b"none").hexdigest(), size=4)
            )
    finally:
        server.stop()


@pytest.mark.parametrize("address", ["ftp://x/y", "gs://bucket"])
def test_an_origin_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(CorpusUnreachable, match="neither a folder nor an address"):
        origin_of(address)
