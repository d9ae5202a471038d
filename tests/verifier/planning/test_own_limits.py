"""Limits of a model of one's own are measured for its package, and are none for another one."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace

import pytest

from contracts.protocol.limits import InvalidLimits, LimitTable, PairRefused, pair_key
from contracts.protocol.run_config import RunConfig
from tests.trainer.model.own.packages import example, forgotten
from trainer.data.text import corpus_of
from trainer.model.own.interface import named
from trainer.steps.determinism import bounded_profile, profile_of
from trainer.steps.variants import Variant, choose
from verifier.planning import calibration, calibration_worker
from verifier.planning.calibration import CalibrationPlan, calibrate
from verifier.planning.calibration_worker import Request

pytestmark = pytest.mark.unit
OTHER = Variant(micro_batches=2)
CHEATS = ("bf16", "int8-weights", "frozen-layer", "one-token-at-the-end", "no-clipping")
FIELDS = {"context": 8, "batch": 4, "segment": 2, "steps": 2, "clip": "0.01"}


def in_this_process(request: Request, done: Callable[[int], None]) -> Iterator[str]:
    """What a worker answers: a process of its own would load torch for seconds."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setattr(sys, "stdin", io.StringIO(json.dumps(request.to_json())))
        calibration_worker.main()
    choose(Variant())
    return iter(out.getvalue().splitlines())


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunConfig]:
    place = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place))
        forgotten()
        example(place)
        yield named("own_model", {"width": 8, "layers": 1}, **FIELDS)
        choose(Variant())
        forgotten()


@pytest.fixture(scope="module")
def table(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> LimitTable:
    file = tmp_path_factory.mktemp("text") / "one.txt"
    file.write_text("".join(f"line {i}: {i * i} quick brown foxes\n" for i in range(400)))
    plan = CalibrationPlan(config, (OTHER,), 3, 1, 1, CHEATS, (file,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "_lines", in_this_process)
        found, _ = calibrate(plan, corpus_of([file]), lambda what, done, of: None)
    return found


def bounded(config: RunConfig, table: LimitTable) -> RunConfig:
    return replace(config, profile="bounded", limits_digest=table.digest().hex())


def test_the_table_is_of_the_package_in_both_ways_to_compute(config: RunConfig, table: LimitTable) -> None:
    own = profile_of(bounded(config, table)).digest()
    choose(OTHER)
    other = profile_of(bounded(config, table)).digest()
    choose(Variant())
    (pair,) = table.pairs
    assert pair.profiles == pair_key(own, other)
    assert own != other
    assert float(pair.honest["update"][2]) > 0, "micro-batches are added in another order"
    assert table.of(own, other) is pair, "every cheat is ten limits away"
    assert {*pair.cheats} == {*CHEATS}


def test_a_run_takes_no_limits_of_other_models(config: RunConfig, table: LimitTable) -> None:
    table.require_measured(profile_of(bounded(config, table)).digest())
    for other in (named("own_model", {"width": 12, "layers": 1}, **FIELDS), RunConfig()):
        with pytest.raises(InvalidLimits, match="commonweight calibrate"):
            table.require_measured(bounded_profile(other).digest())


def test_limits_that_a_cheat_comes_near_are_refused(config: RunConfig, table: LimitTable) -> None:
    near = LimitTable((replace(table.pairs[0], cheats={"bf16": "9.9", "no-decay": "200"}),))
    with pytest.raises(PairRefused, match="bf16"):
        near.require_measured(bounded_profile(config).digest())
