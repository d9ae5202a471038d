"""Words on a segment with real tensors: only bytes that hash to what the node signed convict (J9)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.ids import to_hex
from contracts.protocol.faults import trace_of
from contracts.tensors.state_layout import boundary_entry
from contracts.tensors.tensorfile import pack
from tests.holds import Threat, holds
from tests.verifier import honest
from tests.verifier.honest import Honest, Shelf, changed
from trainer.data.batches import batch_source
from trainer.data.corpus import WrongCorpus
from trainer.data.text import load_corpus
from trainer.model.state import Tensors
from trainer.steps.inner_step import NonFiniteLoss
from trainer.steps.trajectory import replay_segment
from verifier.comparison.compare import CAP
from verifier.replay import replaying
from verifier.replay.files import BytesMissing
from verifier.replay.replaying import FALSE, TRUE, UNSERVED, CannotCompare, Said, Segment, TookTooLong, judge_segment

pytestmark = pytest.mark.unit

FIRST = "theta.head.weight"


def nudge(tensors: Tensors) -> None:
    name = next(name for name in tensors if name.startswith("theta."))
    tensors[name].reshape(-1)[0] += np.float32(0.5)


def with_start(work: Honest, asked: Segment, state: Tensors, shelf: Shelf) -> Segment:
    """The node opened another state, and committed to it."""
    return replace(asked, start=to_hex(boundary_entry(state)), start_blob=shelf.put(pack(state)))


@pytest.mark.parametrize("number", range(4))
def test_honest_segments_are_true(work: Honest, number: int) -> None:
    """The last one too, whose end is the round's weights less a gradient that was rounded."""
    said = judge_segment(work.segment(number), work.shelf(), work.corpus)
    assert (said.segment, said.word, said.reason) == (number, TRUE, 0)


@pytest.mark.parametrize("changes", [{"ranks": 4}, {"ranks": 2, "precision": "bf16"}], ids=str)
def test_blocks_are_replayed_in_one_process(changes: dict[str, object], tmp_path: Path) -> None:
    """And work that summed its batches otherwise, or rounded less, is false."""
    config = replace(honest.TINY, batch=4, steps=4, segment=2, **changes)  # type: ignore[arg-type]
    work = Honest.train(tmp_path, config)
    assert judge_segment(work.segment(1), work.shelf(), work.corpus).word == TRUE
    whole = Honest.train(tmp_path, replace(config, ranks=1, precision="float32"))
    asked = replace(whole.segment(0), config=work.config.to_json(), profile=work.segment(0).profile)
    assert judge_segment(asked, whole.shelf(), whole.corpus).word == FALSE


def test_the_end_needs_no_bytes_where_it_is_right(work: Honest) -> None:
    asked, shelf = work.segment(1), work.shelf()
    del shelf.held[asked.end_blob]
    assert judge_segment(asked, shelf, work.corpus).word == TRUE


@holds(
    "Only bytes with the hash that the node signed convict the node",
    by="verifier/replay/replaying.py:judge_segment",
    against=Threat.FALSE_WORK,
)
def test_a_flipped_byte_says_nothing(work: Honest) -> None:
    """Bytes that do not hash to their name are no bytes: nobody is called false for them."""
    asked, shelf = work.segment(1), work.shelf()
    del shelf.held[asked.start_blob]
    with pytest.raises(BytesMissing) as missing:
        judge_segment(asked, shelf, work.corpus)
    assert missing.value.names == (asked.start_blob,)


def test_a_false_segment_is_false_and_measured(work: Honest) -> None:
    shelf = work.shelf()
    claimed = changed(work.state(2), nudge)
    asked = replace(work.segment(1), end=to_hex(boundary_entry(claimed)), end_blob=shelf.put(pack(claimed)))
    said = judge_segment(asked, shelf, work.corpus)
    assert (said.word, said.reason) == (FALSE, replaying.REPLAY)
    assert 0 < said.measured < CAP
    del shelf.held[asked.end_blob]
    said = judge_segment(asked, shelf, work.corpus)
    assert (said.word, said.reason, said.measured) == (FALSE, replaying.REPLAY, CAP), "the commitment convicts alone"


def test_a_last_segment_that_is_not_settled_is_false(work: Honest) -> None:
    claimed = changed(work.state(4), nudge)
    asked = replace(work.segment(3), end=to_hex(boundary_entry(claimed)))
    assert judge_segment(asked, work.shelf(), work.corpus).reason == replaying.REPLAY


def test_a_file_that_holds_another_state_is_unserved(work: Honest) -> None:
    """A node may sign two openings of one boundary: whoever is shown the bad one on a fork convicted true work."""
    shelf = work.shelf()
    asked = replace(work.segment(1), start_blob=shelf.put(pack(changed(work.state(1), nudge))))
    said = judge_segment(asked, shelf, work.corpus)
    assert (said.word, said.reason, said.trace) == (UNSERVED, 0, "")


@pytest.mark.parametrize("data", [b"", b"no tensors", pack({"theta.x": np.zeros(3, np.float32)})])
def test_a_file_of_another_form_is_unserved(work: Honest, data: bytes) -> None:
    shelf = work.shelf()
    said = judge_segment(replace(work.segment(1), start_blob=shelf.put(data)), shelf, work.corpus)
    assert (said.word, said.reason) == (UNSERVED, 0)


def test_an_uncommitted_file_with_nan_is_unserved(work: Honest) -> None:
    def spoil(tensors: Tensors) -> None:
        next(value for name, value in tensors.items() if name.startswith("m.")).reshape(-1)[0] = np.nan

    shelf = work.shelf()
    asked = replace(work.segment(1), start_blob=shelf.put(pack(changed(work.state(1), spoil))))
    assert judge_segment(asked, shelf, work.corpus).word == UNSERVED


def test_a_start_with_nan_is_not_finite(work: Honest) -> None:
    def spoil(tensors: Tensors) -> None:
        name = next(name for name in tensors if name.startswith("m."))
        tensors[name].reshape(-1)[0] = np.nan

    shelf = work.shelf()
    asked = with_start(work, work.segment(1), changed(work.state(1), spoil), shelf)
    said = judge_segment(asked, shelf, work.corpus)
    assert (said.word, said.reason) == (FALSE, replaying.NOT_FINITE)


def test_a_start_from_which_no_step_is_possible_is_not_finite(work: Honest) -> None:
    def spoil(tensors: Tensors) -> None:
        for name in tensors:
            if name.startswith("theta."):
                tensors[name][...] = np.float32(3e38)

    def count(tensors: Tensors) -> None:
        tensors["adam.step"][0] = -5

    for change in (spoil, count):
        shelf = work.shelf()
        said = judge_segment(
            with_start(work, work.segment(1), changed(work.state(1), change), shelf), shelf, work.corpus
        )
        assert (said.word, said.reason) == (FALSE, replaying.NOT_FINITE)


def test_the_common_segment_has_a_trace_that_only_a_replay_knows(work: Honest) -> None:
    shelf = work.shelf()
    said = judge_segment(work.segment(1, common=True), shelf, work.corpus)
    assert said.trace not in ("", to_hex(trace_of([])))
    assert judge_segment(work.segment(1), shelf, work.corpus).trace == ""
    claimed = changed(work.state(2), nudge)
    asked = replace(work.segment(1, common=True), end=to_hex(boundary_entry(claimed)))
    assert judge_segment(asked, shelf, work.corpus).trace == said.trace, "true or false: it was replayed"


def test_another_machine_or_text_gives_no_word(work: Honest) -> None:
    with pytest.raises(CannotCompare):
        judge_segment(replace(work.segment(1), profile=to_hex(b"\1" * 32)), work.shelf(), work.corpus)
    work.text.with_name("other.txt").write_text("another text, of another length\n" * 300)
    with pytest.raises(WrongCorpus):
        judge_segment(work.segment(1), work.shelf(), load_corpus([work.text.with_name("other.txt")]))


def test_a_word_travels_as_json(work: Honest) -> None:
    asked = work.segment(2, common=True)
    assert Segment.from_json(asked.to_json()) == asked
    said = Said(2, FALSE, 1, CAP, 0, "0x00", "detail")
    assert Said.from_json(said.to_json()) == said


def quiet_nan(state: Tensors) -> Tensors:
    """The state as a machine has it whose NaN has other bits."""
    nan = np.uint32(0x7FC00000).view(np.float32)
    return {
        name: np.where(np.isnan(value), nan, value) if value.dtype == np.float32 else value
        for name, value in state.items()
    }


@holds(
    "A state with NaN has one verdict and one trace on every machine",
    by="verifier/replay/replaying.py:judge_segment",
    against=Threat.UNLIKE_MACHINES,
)
@pytest.mark.filterwarnings("ignore:.*invalid value")
@pytest.mark.parametrize("length", [1, 2])
def test_nan_in_a_segment_has_one_trace_on_every_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """The bits of NaN are the machine's own: honest verifiers on others paid for a wrong trace, or a false word."""
    monkeypatch.setattr(honest, "TINY", replace(honest.TINY, steps=4, segment=length, profile="portable"))
    work = Honest.train(tmp_path)

    def negative(state: Tensors) -> None:
        state.update({name: np.full_like(value, -1) for name, value in state.items() if name.startswith("v.")})

    bad, shelf = changed(work.state(1), negative), work.shelf()
    asked = with_start(work, work.segment(1, common=True), bad, shelf)
    said = judge_segment(asked, shelf, work.corpus)
    assert (said.word, said.reason, said.trace) == (FALSE, replaying.NOT_FINITE, to_hex(trace_of([])))
    batches = batch_source(work.corpus, work.config, honest.SEED, 1)
    try:
        ends = [replay_segment(work.config, bad, 1, batches)]
    except NonFiniteLoss:
        return
    for end in (*ends, quiet_nan(ends[0])):
        claimed = replace(asked, end=to_hex(boundary_entry(end)))
        assert judge_segment(claimed, shelf, work.corpus).reason == replaying.NOT_FINITE


def test_a_replay_that_takes_too_long_is_ended_between_two_steps(work: Honest) -> None:
    with pytest.raises(TookTooLong, match=r"not replayed after 0\.0 s"):
        judge_segment(work.segment(1), work.shelf(), work.corpus, None, 0.0)
    assert judge_segment(work.segment(1), work.shelf(), work.corpus, None, 600.0).word == TRUE
