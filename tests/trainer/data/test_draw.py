from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ids import as_address
from contracts.protocol.run_config import RunConfig
from tests.holds import Threat, holds
from tests.trainer.data.corpora import corpus
from trainer.data.corpus import Corpus, UnusableCorpus
from trainer.data.draw import ALONE, InvalidBatchRequest, RoundDraw, Share, share_of

pytestmark = pytest.mark.unit
SEED = b"\x07" * 32
CONFIG = RunConfig(layers=1, d_model=16, heads=2, context=8, steps=4, segment=2, batch=4)
NODES = [as_address(f"0x{number:040x}") for number in range(1, 5)]


def drawn(
    text: Corpus, config: RunConfig, share: Share = ALONE, number: int = 1, seed: bytes = SEED
) -> list[tuple[str, int]]:
    """Shard and start of every window of a node's round, in its order."""
    found: list[tuple[str, int]] = [("", -1)] * (config.steps * config.batch)
    for windows in RoundDraw(text, config, seed, number, share).windows(np.arange(len(found))):
        for place, start in zip(windows.places, windows.starts, strict=True):
            found[place] = (windows.shard.name, int(start))
    return found


@holds(
    "No sample is drawn twice in a round, over all its nodes",
    by="trainer/data/draw.py:RoundDraw",
    against=Threat.FALSE_WORK,
)
@given(
    sizes=st.lists(st.integers(9, 400), min_size=1, max_size=8),
    nodes=st.integers(1, 5),
    number=st.integers(0, 10**6),
    steps=st.integers(1, 6),
)
@settings(deadline=None)
def test_no_window_comes_twice_before_all_have_come(sizes: list[int], nodes: int, number: int, steps: int) -> None:
    text, config = corpus(prose=tuple(sizes)), replace(CONFIG, steps=2 * steps)
    try:
        every = [drawn(text, config, Share(place, nodes), number) for place in range(nodes)]
    except InvalidBatchRequest:
        assert max(sizes) < 2 * config.context + 1, "a shard of two windows has one behind every phase"
        return
    counts = Counter(window for windows in every for window in windows)
    starts = {start % config.context for _, start in counts}
    windows = sum(max(size - 1 - starts.copy().pop(), 0) // config.context for size in sizes)
    assert len(starts) == 1, "one phase a round"
    assert len(counts) == min(windows, nodes * config.steps * config.batch)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_windows_stay_inside_their_shards() -> None:
    sizes = {f"prose-{place}": size for place, size in enumerate((9, 17, 8, 1000, 25))}
    text = corpus(prose=tuple(sizes.values()))
    for number in range(60):
        for name, start in drawn(text, CONFIG, number=number):
            assert 0 <= start <= sizes[name] - CONFIG.context - 1


@pytest.mark.parametrize(
    "other",
    [{"number": 2}, {"seed": b"\x08" * 32}, {"share": Share(1, 2)}],
    ids=["round", "seed", "node"],
)
def test_every_input_changes_the_draw(other: dict[str, object]) -> None:
    text = corpus(prose=(4000, 4000))
    assert drawn(text, CONFIG, **{"share": Share(0, 2), **other}) != drawn(text, CONFIG, Share(0, 2))  # type: ignore[arg-type]


def test_nodes_share_a_round_by_their_place_in_its_list() -> None:
    assert share_of(NODES[2], NODES) == (2, 4)
    with pytest.raises(InvalidBatchRequest, match="not among the round's 4 nodes"):
        share_of(as_address("0x" + "ee" * 20), NODES)


def test_a_node_reads_few_shards_and_says_which() -> None:
    text = corpus(prose=(41,) * 500, code=(49,) * 500)
    needed = []
    for place in range(4):
        share = Share(place, 4)
        named = {shard.name for shard in RoundDraw(text, CONFIG, SEED, 5, share).shards()}
        assert {name for name, _ in drawn(text, CONFIG, share, 5)} <= named
        assert len(named) <= 6
        needed.append(named)
    assert len(set.union(*needed)) > 6, "other nodes, other shards"
    later = {shard.name for shard in RoundDraw(text, CONFIG, SEED, 6, Share(0, 4)).shards()}
    assert later.isdisjoint(needed[0]), "another round, other shards"


@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=20), place=st.integers(0, 2), number=st.integers(0, 99))
@settings(deadline=None)
def test_the_shards_of_a_round_are_those_that_it_reads(sizes: list[int], place: int, number: int) -> None:
    text = corpus(prose=(50, *sizes))
    named = [shard.name for shard in RoundDraw(text, CONFIG, SEED, number, Share(place, 3)).shards()]
    assert sorted(named) == sorted({name for name, _ in drawn(text, CONFIG, Share(place, 3), number)})


@pytest.mark.parametrize(
    ("mixture", "code", "prose"),
    [
        ("", 4, 12),
        ("code:1,prose:1", 8, 8),
        ("code:3,prose:1", 12, 4),
        ("code:1", 16, 0),
        ("code:1,unknown:5", 16, 0),
        ("unknown:5", 4, 12),
        ("code:1,prose:999999", 0, 16),
        ("code:1,prose:2", 5, 11),
    ],
)
def test_a_mixture_weighs_the_sources(mixture: str, code: int, prose: int) -> None:
    text = corpus(code=(1000, 1000), prose=(6000,))
    found = Counter(name.split("-")[0] for name, _ in drawn(text, replace(CONFIG, mixture=mixture)))
    assert (found["code"], found["prose"]) == (code, prose)


def test_sources_are_mixed_within_a_round() -> None:
    found = [name.split("-")[0] for name, _ in drawn(corpus(code=(4000,), prose=(4000,)), replace(CONFIG, steps=40))]
    first = Counter(found[:80])["code"]
    assert 25 < first < 55


@pytest.mark.parametrize(
    ("seed", "number", "share"),
    [(b"", 0, ALONE), (SEED, -1, ALONE), (SEED, 0, Share(1, 1)), (SEED, 0, Share(-1, 2)), (SEED, 0, Share(0, 0))],
    ids=["seed", "round", "beyond", "before", "nobody"],
)
def test_bad_requests_are_refused(seed: bytes, number: int, share: Share) -> None:
    with pytest.raises(InvalidBatchRequest):
        RoundDraw(corpus(prose=(100,)), CONFIG, seed, number, share)


def test_a_corpus_without_a_window_is_refused() -> None:
    with pytest.raises(InvalidBatchRequest, match="no shard has a window of 8 tokens"):
        RoundDraw(corpus(prose=(8, 8)), CONFIG, SEED, 1, ALONE)


def test_slots_say_which_shards_they_read() -> None:
    draw = RoundDraw(corpus(prose=(41,) * 500), CONFIG, SEED, 5, Share(1, 4))
    named = [{shard.name for shard in draw.shards_of(np.arange(start, start + 4))} for start in range(0, 16, 4)]
    assert set.union(*named) == {shard.name for shard in draw.shards()}
    assert all(len(names) < 5 for names in named)


@pytest.mark.parametrize(("tokens", "context"), [(15, 8), (100, 9)])
def test_a_text_that_some_round_could_not_use_is_refused(tokens: int, context: int) -> None:
    """Before, some rounds of it had no window, or none had a merge: nodes worked for nothing."""
    corpus(a=(16, 3)).require_windows(8)
    with pytest.raises(UnusableCorpus, match=f"a context of {context} needs"):
        corpus(a=(tokens, 3)).require_windows(context)


def test_a_small_source_drawn_often_takes_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two shards of a few windows, and a mixture that takes all of a large round from them."""
    config = RunConfig(context=8, steps=10_000, segment=1000, batch=4096, mixture="small:1")
    draw = RoundDraw(corpus(large=(10_000,), small=(24, 24)), config, b"\x07" * 32, 1, Share(1, 3))
    whole, passes = draw._sources[1]._new_pass, list[int]()

    def counted(time: int) -> object:
        passes.append(time)
        return whole(time)

    monkeypatch.setattr(draw._sources[1], "_pass", counted)
    assert {shard.name for shard in draw.shards()} == {"small-0", "small-1"}
    assert len(passes) == 2
