"""A run of one's own model, end to end: nodes train the example's package, verifiers replay it, its weights go home."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from commonweight.model.exporting import export_run
from commonweight.model.terms import RunRules, RunText, open_run
from commonweight.model.trusted import trusted
from contracts.protocol.run_config import InvalidRunConfig, RunConfig
from tests.deployed import key_of
from tests.service.stage import Stage, staged
from tests.trainer.model.own.packages import example, forgotten
from trainer.model.layout import weight_shapes
from trainer.model.own.source import installed

pytestmark = pytest.mark.integration
SETTINGS = {"width": 16, "layers": 1}
RUN = {"architecture": "own", "model_package": "own_model", "context": 16, "steps": 8, "segment": 2, "batch": 4}


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(tmp_path))
    forgotten()
    example(tmp_path)
    return installed("own_model").digest


def opened(stage: Stage, **named: object) -> None:
    rules = RunRules(10**21, rounds_per_epoch=1, beacon_span=8, period_seconds=240, lease_seconds=30, min_nodes=2)
    config = {**RUN, "rounds": 1, "model_config": SETTINGS, **named}
    stage.run = open_run(stage.api, key_of("creator").key.hex(), config, rules, RunText((stage.text,)))


def ended(stage: Stage, *names: str) -> None:
    for name in names:
        stage.stop(name)
    threads = [thread for thread in stage._threads if thread.name in names]
    stage.wait("the nodes' end", lambda: not any(thread.is_alive() for thread in threads))


def test_a_run_of_ones_own_model_is_trained_and_checked(tmp_path: Path, digest: str) -> None:
    (tmp_path / "stage").mkdir()
    with staged(tmp_path / "stage") as stage:
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        with pytest.raises(InvalidRunConfig, match="commonweight model digest own_model"):
            opened(stage)
        opened(stage, model_digest=digest)
        for number in range(3):
            stage.start(f"verifier {number}", stage.verifier(number).run)
        for name in ("ada", "ben"):
            stage.start(name, stage.node(name).take_part)
        stage.wait("the run's end", lambda: stage.client.get(f"/runs/{stage.run}")["phase"] == "over", 300)
        lines = stage.client.get(f"/runs/{stage.run}/proofs")
        assert [line["state"] for line in lines] == ["posted", "posted"]
        config = RunConfig.from_json(stage.client.get(f"/runs/{stage.run}/rounds/1")["config"])
        assert (config.model_digest, config.model_config) == (digest, '{"layers":1,"width":16}')
        ended(stage, "ada", "ben")
        shutil.rmtree(tmp_path / "own_model")
        forgotten()  # who takes weights home needs no package
        export_run(trusted(stage.api, None, stage.rpc), stage.run, tmp_path / "out", None, 60.0)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.safetensors", "own_model.json"}
    told = json.loads((tmp_path / "out" / "own_model.json").read_text())
    assert told["config"] == {**SETTINGS, "vocab": 256, "context": 16}
    example(tmp_path)
    weights = {name: value.shape for name, value in load_file(tmp_path / "out" / "model.safetensors").items()}
    assert weights == weight_shapes(config)
