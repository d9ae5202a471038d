"""A replay whose steps cost far more than a step does has an end, and its segment a word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.protocol.run_config import RunConfig
from tests.verifier.honest import Honest
from trainer.data.batches import Batch, batch_source
from trainer.model.device import CPU
from verifier.replay import labour
from verifier.replay.labour import TIMES, Bounded, CostsTooMuch, usual_step
from verifier.replay.replaying import TRUE, UNSERVED, judge_segment

pytestmark = pytest.mark.unit

Watch = Callable[[list[float]], int]


@pytest.fixture
def watch(work: Honest, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Steps that cost so many times the usual one: how many batches were given."""
    now = [100.0]
    monkeypatch.setattr(labour, "usual_step", lambda *_: 2.0)
    monkeypatch.setattr("verifier.replay.labour.time.thread_time", lambda: now[0])
    source = batch_source(work.corpus, work.config, b"\1" * 32, 1)

    def run(costs: list[float]) -> int:
        given, batches = 0, Bounded(work.config, source)
        for step, cost in enumerate(costs):
            batches(step)
            given, now[0] = given + 1, now[0] + 2.0 * cost
        batches.check()
        return given

    return run


def test_a_segment_that_costs_far_more_than_one_does_is_ended(watch: Watch, work: Honest) -> None:
    with pytest.raises(CostsTooMuch, match="times what a segment costs"):
        watch([TIMES * work.config.segment + 1, 1, 1])
    with pytest.raises(CostsTooMuch):
        watch([33] * 99)


def test_a_segment_of_one_step_is_bounded_too(watch: Watch, work: Honest) -> None:
    """Nothing ends the step, and its cost is told after it: before, such a segment was read to its end by some."""
    with pytest.raises(CostsTooMuch):
        watch([TIMES * work.config.segment + 1])


def test_one_that_costs_a_few_times_as_much_is_not(watch: Watch, work: Honest) -> None:
    assert watch([1] * work.config.segment) == work.config.segment
    assert watch([TIMES - 0.1] * work.config.segment) == work.config.segment


def test_reading_the_text_is_no_cost_of_the_node(work: Honest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards are hashed and looked through while a segment is replayed, as the verifier's own memory allows."""
    now = [100.0]
    monkeypatch.setattr(labour, "usual_step", lambda *_: 2.0)
    monkeypatch.setattr("verifier.replay.labour.time.thread_time", lambda: now[0])
    source = batch_source(work.corpus, work.config, b"\1" * 32, 1)

    def slow(step: int) -> Batch:
        now[0] += 1000.0
        return source(step)

    batches = Bounded(work.config, slow)
    for step in range(work.config.segment):
        batches(step)
    batches.check()


def test_a_segment_that_nobody_gets_through_is_unserved(work: Honest, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = work.segment(1, common=True)
    monkeypatch.setattr(labour, "usual_step", lambda *_: 1e-12)
    assert judge_segment(asked, work.shelf(), work.corpus).word == TRUE, "it takes no seconds"
    monkeypatch.setattr(labour, "LEAST_SECONDS", 0.0)
    said = judge_segment(asked, work.shelf(), work.corpus)
    assert (said.word, said.reason, said.trace) == (UNSERVED, 0, "")
    assert "times what a segment costs from the weights of round 0" in said.detail
    monkeypatch.undo()
    assert judge_segment(asked, work.shelf(), work.corpus).word == TRUE


def test_what_a_step_costs_is_measured_once(work: Honest, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(work.config, RunConfig)
    batch = batch_source(work.corpus, work.config, b"\1" * 32, 1)(0)
    labour._usual.clear()
    first = usual_step(work.config, batch)
    monkeypatch.setattr(labour, "_cost", lambda *_: pytest.fail("it is known"))
    assert usual_step(work.config, batch) == first > 0


def test_on_a_gpu_no_step_is_watched(work: Honest, monkeypatch: pytest.MonkeyPatch) -> None:
    source = batch_source(work.corpus, work.config, b"\1" * 32, 1)
    monkeypatch.setattr(labour, "device_of", lambda _profile: type("Device", (), {"type": "cuda"}))
    monkeypatch.setattr(labour, "usual_step", lambda *_: pytest.fail("nobody asks what a step costs"))
    batches = Bounded(work.config, source)
    batches(0)
    batches.check()
    assert CPU == "cpu"
