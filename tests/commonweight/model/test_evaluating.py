"""`model eval`: a user's tasks on settled weights. What needs `lm_eval` runs where the part `eval` is installed."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from torch.func import functional_call
from typer.testing import CliRunner

from commonweight.cli import app
from commonweight.model import evaluating, exporting, trusted
from commonweight.model.evaluating import Score, UnusableTasks, evaluate, scores, tokenizer
from commonweight.terminal.failures import PartMissing, as_refusal
from contracts.protocol.run_config import RunConfig
from tests.sources import ROOT
from trainer.model.building import build_model, initial_parameters
from trainer.model.hugging_face import export
from trainer.model.state import initial_theta

pytestmark = pytest.mark.unit
CONFIG = RunConfig(architecture="llama", layers=1, d_model=32, heads=2, context=64)
TASKS = ROOT / "examples" / "tasks"
HAS_PART = importlib.util.find_spec("lm_eval") is not None
RESULTS: dict[str, Any] = {
    "results": {
        "b": {"alias": "b", "acc,none": 0.5, "acc_stderr,none": 0.25, "bleu,cut": 3, "bleu_stderr,cut": "N/A"},
        "a": {"byte_perplexity,none": 250.5, "sample_len": 3},
    },
    "n-samples": {"a": {"original": 9, "effective": 3}, "b": {"original": 4, "effective": 4}},
}
FOUND = [
    Score("a", "byte_perplexity", 250.5, None, 3),
    Score("b", "acc", 0.5, 0.25, 4),
    Score("b", "bleu (cut)", 3.0, None, 4),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    export(CONFIG, initial_theta(CONFIG), tmp_path / "weights")
    return tmp_path / "weights"


def test_the_harness_answers_in_numbers_by_task_and_metric() -> None:
    assert list(scores(RESULTS)) == FOUND
    assert list(scores({})) == []


def test_a_run_without_a_tokenizer_reads_bytes(folder: Path) -> None:
    """Each byte is the token of its own number, as the run trained on them."""
    made = tokenizer(folder)
    text = "tab\t, newline\n, ä, 名, \x00 and \x7f"
    assert made.encode(text) == list(text.encode())
    assert made.decode(made.encode(text)) == text
    assert sorted(made.get_vocab().values()) == list(range(256))
    assert (made.eos_token_id, made.bos_token_id) == (10, 10)


def test_without_the_part_the_command_names_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(ModuleNotFoundError) as missing:
        evaluate(folder, TASKS)
    refusal = as_refusal(missing.value)
    assert isinstance(refusal, PartMissing)
    assert "commonweight[eval]" in refusal.detail


def test_the_command_tells_whose_weights_it_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = SimpleNamespace(round=3, digest="0xab", entry=17)
    asked: list[Any] = []

    monkeypatch.setattr(trusted, "trusted", lambda *_: "source")

    def answering(answer: Any) -> Any:
        def noted(*given: Any) -> Any:
            asked.append(given)
            return answer

        return noted

    monkeypatch.setattr(exporting, "export_run", answering(weights))
    monkeypatch.setattr(evaluating, "evaluate", answering(FOUND))
    given = ["model", "eval", "--run", "0x" + "11" * 32, "--task", str(TASKS), "--most", "5", "--round", "3"]
    said = CliRunner().invoke(app, [*given, "--json"])
    assert said.exit_code == 0, said.output
    document = json.loads(said.output)
    assert (document["round"], document["digest"], document["entry"]) == (3, "0xab", 17)
    assert [Score(**score) for score in document["scores"]] == FOUND
    (_, run, out, number, _, _), (evaluated, tasks, most) = asked
    assert (run, number, evaluated, tasks, most) == ("0x" + "11" * 32, 3, out, TASKS, 5)
    assert not out.exists()
    table = CliRunner().invoke(app, given).output
    assert "After round 3" in table
    assert "250.5000" in table


@pytest.mark.skipif(not HAS_PART, reason="the part eval is not installed")
def test_the_example_tasks_run_and_give_our_own_loss(folder: Path) -> None:
    found = {(score.task, score.metric): score for score in evaluate(folder, TASKS)}
    assert {task for task, _ in found} == {"held_out", "endings"}
    assert 0 <= found["endings", "acc"].value <= 1
    texts = [text.encode() for text in pq.read_table(TASKS / "held_out.parquet")["text"].to_pylist()]
    bits = sum(map(_bits, texts)) / sum(map(len, texts))
    assert found["held_out", "bits_per_byte"].value == pytest.approx(bits, rel=1e-5)


@pytest.mark.skipif(not HAS_PART, reason="the part eval is not installed")
@pytest.mark.parametrize("spoilt", ["no task", "no data"])
def test_tasks_that_cannot_run_are_named(folder: Path, tmp_path: Path, spoilt: str) -> None:
    tasks = tmp_path / "tasks"
    shutil.copytree(TASKS, tasks)
    for file in tasks.glob("*.yaml" if spoilt == "no task" else "*.parquet"):
        file.unlink()
    with pytest.raises(UnusableTasks, match="has no task" if spoilt == "no task" else "cannot be run"):
        evaluate(folder, tasks)


def _bits(text: bytes) -> float:
    """Of our own model, each byte by those before it; the first one by an end of line."""
    tokens = torch.tensor([[10, *text]])
    logits = functional_call(build_model(CONFIG), initial_parameters(CONFIG), (tokens[:, :-1],))
    loss = torch.nn.functional.cross_entropy(logits[0], tokens[0, 1:], reduction="sum")
    return float(loss) / math.log(2)
