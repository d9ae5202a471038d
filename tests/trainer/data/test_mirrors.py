"""Several places of one corpus: a false, short or silent one is told once and passed over; all failing is weather."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from contracts.protocol.run_config import InvalidRunConfig, RunConfig
from tests.trainer.data import corpora
from tests.trainer.data.served import Served, served_folder
from trainer.data import cache as cache_module
from trainer.data import corpora as corpora_module
from trainer.data import mirrors as mirrors_module
from trainer.data.cache import CorpusFiles, FolderFiles, files_at
from trainer.data.corpora import INDEX, Corpora
from trainer.data.corpus import CorpusUnreachable, WrongCorpus
from trainer.data.index import CorpusIndex
from trainer.data.mirrors import REST_SECONDS, Mirrors, shuffled
from trainer.data.origins import FolderOrigin, HttpOrigin
from trainer.data.place import CorpusSettings

CONFIG = RunConfig(layers=1, d_model=16, heads=2, context=8, steps=4, segment=2, batch=4)


@pytest.fixture
def index(tmp_path: Path) -> CorpusIndex:
    return corpora.made(tmp_path / "corpus", corpora.written(tmp_path / "text"), shard_tokens=2000)


@pytest.fixture
def places(tmp_path: Path, index: CorpusIndex) -> Iterator[tuple[Served, Served]]:
    copytree(tmp_path / "corpus", tmp_path / "copy")
    with ExitStack() as stack:
        yield tuple(stack.enter_context(served_folder(tmp_path / name)) for name in ("corpus", "copy"))  # type: ignore[misc]


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "FIRST_WAIT", 0.001)


def of(places: tuple[Served, ...]) -> Mirrors:
    return Mirrors([HttpOrigin(place.url, chosen=True) for place in places])


@pytest.mark.integration
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:-1] + b"?", "other bytes than the index names"),
        (lambda data: data + b"?", "more than the"),
        (lambda data: data[:-1], "broke off"),
        (None, "answered 404"),
    ],
    ids=["other", "longer", "shorter", "none"],
)
def test_a_false_place_is_told_once_and_the_next_asked(  # type: ignore[no-untyped-def]
    tmp_path: Path,
    places: tuple[Served, Served],
    index: CorpusIndex,
    caplog: pytest.LogCaptureFixture,
    change,
    why: str,
) -> None:
    false, sound = places
    first, second, *_ = index.sources[0].shards
    for shard in (first, second):
        path = false.folder / shard.blob
        data = path.read_bytes()
        path.unlink()
        if change is not None:
            path.write_bytes(change(data))
    files = CorpusFiles(of(places), tmp_path / "cache")
    with caplog.at_level(logging.WARNING):
        read = [files.path(shard).read_bytes() for shard in (first, second)]
    assert read == [(sound.folder / shard.blob).read_bytes() for shard in (first, second)]
    assert false.asked == [first.blob], "it rests after its first fault"
    assert sound.asked == [first.blob, second.blob]
    (told,) = [record.getMessage() for record in caplog.records]
    assert why in told
    assert "another place is asked" in told


@pytest.mark.integration
def test_a_place_that_rested_is_asked_again(
    tmp_path: Path, places: tuple[Served, Served], index: CorpusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(mirrors_module, "monotonic", lambda: now[0])
    first, second, third, *_ = index.sources[0].shards
    files = CorpusFiles(of(places), tmp_path / "cache")
    places[0].broken = 1
    for shard in (first, second):
        files.path(shard)
    now[0] = REST_SECONDS + 1
    files.path(third)
    assert places[0].asked == [first.blob, third.blob]
    assert places[1].asked == [first.blob, second.blob]


@pytest.mark.integration
def test_all_places_failing_is_weather_that_names_each(
    tmp_path: Path, places: tuple[Served, Served], index: CorpusIndex
) -> None:
    files = CorpusFiles(of(places), tmp_path / "cache")
    for place in places:
        place.broken = 100
    with pytest.raises(CorpusUnreachable, match="none of 2 places gives it") as weather:
        files.path(index.held_out)
    assert all(place.url in weather.value.detail for place in places)
    assert [place.asked.count(index.held_out.blob) for place in places] == [2, 2], "asked again, and not for ever"
    places[1].broken = 0
    assert files.path(index.held_out).is_file()


@pytest.mark.integration
def test_a_runs_own_mirrors_have_its_index_and_its_shards(
    tmp_path: Path, places: tuple[Served, Served], index: CorpusIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpora_module, "shuffled", list)
    gone, mirror = places
    gone.broken = 10**6
    config = replace(CONFIG, corpus_digest=index.digest(), corpus_url=gone.url, corpus_mirrors=mirror.url)
    found = Corpora(CorpusSettings(cache=tmp_path / "cache", loopback=True)).of(config)
    found.sources[0].shards[0].read()
    assert mirror.asked == [INDEX, index.sources[0].shards[0].blob]
    with pytest.raises(CorpusUnreachable, match=r"no public address.*no public address"):
        Corpora(CorpusSettings(cache=tmp_path / "other")).of(config)


@pytest.mark.integration
def test_places_that_a_user_names_come_in_his_order(
    tmp_path: Path, places: tuple[Served, Served], index: CorpusIndex
) -> None:
    """A folder with half of the shards, and an address for the rest: copies of both lie in the cache."""
    half, mirror = places
    first, second, *_ = index.sources[0].shards
    (half.folder / second.blob).unlink()
    config = replace(CONFIG, corpus_digest=index.digest(), corpus_url="https://x.example")
    settings = CorpusSettings(corpus=str(half.folder), cache=tmp_path / "cache", mirrors=(mirror.url,))
    found = Corpora(settings).of(config)
    for shard in found.sources[0].shards[:2]:
        shard.read()
    assert (half.asked, mirror.asked) == ([], [second.blob])
    assert {first.blob, second.blob} <= {path.name for path in (tmp_path / "cache").iterdir()}


@pytest.mark.integration
def test_another_index_is_passed_over_unless_all_have_it(
    tmp_path: Path, places: tuple[Served, Served], index: CorpusIndex
) -> None:
    (places[0].folder / INDEX).write_bytes(b"x" * 20)
    config = replace(CONFIG, corpus_digest=index.digest())
    settings = CorpusSettings(corpus=places[0].url, cache=tmp_path / "cache", mirrors=(places[1].url,))
    assert Corpora(settings).of(config).digest == index.digest()
    (places[1].folder / INDEX).write_bytes(b"x" * 20)
    with pytest.raises(WrongCorpus, match="is no index"):
        Corpora(replace(settings, cache=tmp_path / "other")).of(config)


@pytest.mark.unit
def test_a_folder_alone_is_read_where_it_lies(tmp_path: Path) -> None:
    folder = FolderOrigin(tmp_path)
    assert isinstance(files_at(folder, tmp_path / "cache", 1), FolderFiles)
    assert isinstance(files_at(Mirrors([folder, folder]), tmp_path / "cache", 1), CorpusFiles)


@pytest.mark.unit
def test_processes_ask_a_runs_places_in_orders_of_their_own() -> None:
    origins = [HttpOrigin(f"https://{number}.example", chosen=False) for number in range(6)]
    orders = {tuple(map(str, shuffled(origins))) for _ in range(50)}
    assert len(orders) > 10
    assert all(sorted(order) == sorted(map(str, origins)) for order in orders)


@pytest.mark.unit
def test_a_run_without_mirrors_keeps_its_digest() -> None:
    assert "corpus_mirrors" not in RunConfig().to_json()
    run = RunConfig().with_decision("corpus_mirrors", "https://a.example https://b.example/x")
    assert RunConfig.from_json(run.to_json()) == run
    assert run.digest() != RunConfig().digest()
    assert run.with_decision("corpus_mirrors", "").digest() == RunConfig().digest()


@pytest.mark.unit
@pytest.mark.parametrize(
    "value",
    [
        "https://a.example  https://b.example",
        " https://a.example",
        "https://a.example ",
        "https://a.example https://a.example",
        "https://a.example\nhttps://b.example",
        "ftp://a.example",
        "s3://bucket/x",
        " ".join(f"https://{number}.example" for number in range(9)),
        "https://a.example/" + "x" * 200,
        " " * 10**6,
        7,
    ],
)
def test_a_list_of_places_has_one_spelling(value: object) -> None:
    with pytest.raises(InvalidRunConfig, match="corpus_mirrors") as refused:
        RunConfig(corpus_mirrors=value)  # type: ignore[arg-type]
    assert len(refused.value.detail) < 200
