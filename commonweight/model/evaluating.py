"""Tasks of the Language Model Evaluation Harness on the weights of a run, without a network.

`lm_eval` brings its own tasks by name, whose data it would fetch. Here a task is the user's: a folder of YAML files and
of the Parquet files that they name, relative to the folder. The numbers are the word of who runs the command: the log
has the held-out loss, which k verifiers sign with each merge, and nothing of these.

A YAML file may name a Python function of its folder (`!function`), which then runs here: take tasks from nobody whose
programs you would not run.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from contracts.errors import CommonweightError
from trainer.data.index import TOKENIZER
from trainer.model.hugging_face import SETTINGS

_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
_QUIET = {"TQDM_DISABLE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "LMEVAL_LOG_LEVEL": "ERROR"}
_ERROR = "_stderr"
_BYTES = 256
_LINE_END = 10


class UnusableTasks(CommonweightError):
    """A folder of evaluation tasks holds none, or one that cannot be run without a network."""

    code = "unusable-tasks"


class Score(NamedTuple):
    """One number of a task: its standard error is None where the harness estimates none; `samples` were asked."""

    task: str
    metric: str
    value: float
    error: float | None
    samples: int


def evaluate(folder: Path, tasks: Path, most: int | None = None) -> list[Score]:
    """Scores of the model in `folder`, as `model export` writes it, on every task of the folder `tasks`.

    `most` bounds the documents of each task; None asks all. A folder without a `tokenizer.json` is read as bytes.
    Raises UnusableTasks, and ModuleNotFoundError where the part `eval` was not installed.
    """
    folder, tasks = folder.absolute(), tasks.absolute()
    with _offline(), contextlib.chdir(tasks):
        from lm_eval.evaluator import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager

        manager = TaskManager(include_path=str(tasks), include_defaults=False)
        names = list(manager.all_subtasks)
        if not names:
            raise UnusableTasks(f"{tasks} has no task: a YAML file with `task`, `dataset_path: parquet` and its files")
        model = HFLM(_model(folder), tokenizer=tokenizer(folder), device="cpu", batch_size=8)
        try:
            found = simple_evaluate(model, tasks=names, task_manager=manager, limit=most, log_samples=False)
        except (OSError, ValueError, KeyError) as error:
            raise UnusableTasks(f"the tasks of {tasks} cannot be run: {type(error).__name__}: {error}") from error
    return list(scores(found or {}))


def scores(found: Mapping[str, Any]) -> Iterator[Score]:
    """The numbers in what the harness answers, by task and metric."""
    for task, numbers in sorted(found.get("results", {}).items()):
        asked = int(found.get("n-samples", {}).get(task, {}).get("effective", 0))
        for key, value in sorted(numbers.items()):
            metric, comma, how = key.partition(",")
            if not comma or metric.endswith(_ERROR) or not isinstance(value, (int, float)):
                continue
            error = numbers.get(f"{metric}{_ERROR},{how}")
            name = metric if how == "none" else f"{metric} ({how})"
            yield Score(task, name, float(value), float(error) if isinstance(error, (int, float)) else None, asked)


def tokenizer(folder: Path) -> Any:
    """The tokenizer beside the weights, or one of bytes; the end of a document is what begins a text, too.

    Raises ModuleNotFoundError where the part `eval` was not installed.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    file = folder / TOKENIZER
    inner = Tokenizer.from_file(str(file)) if file.is_file() else of_bytes()
    settings = json.loads((folder / SETTINGS).read_text())
    end = inner.id_to_token(settings.get("eos_token_id", _LINE_END))
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=end, bos_token=end, pad_token=end)


def of_bytes() -> Any:
    """A token for each byte, of the byte's own number: what a run without a tokenizer reads."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    plain = [byte for byte in range(_BYTES) if 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174]
    rest = [byte for byte in range(_BYTES) if byte not in plain]
    symbols = {byte: chr(byte) for byte in plain} | {byte: chr(_BYTES + i) for i, byte in enumerate(rest)}
    made = Tokenizer(models.BPE(vocab={symbol: byte for byte, symbol in symbols.items()}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return made


def _model(folder: Path) -> Any:
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder, local_files_only=True)


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """The libraries ask nobody, and keep what they make of the data in a folder that goes away."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="commonweight-eval-") as cache:
        os.environ.update(_OFFLINE | _QUIET, HF_DATASETS_CACHE=cache)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
