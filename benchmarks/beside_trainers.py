"""Tokens a second and loss of one llama under four trainers, on the same batches, with the same AdamW, in one thread.

    make bench-beside-trainers
    PYTHONPATH=.compare-packages python -m benchmarks.beside_trainers [--steps N] [--turns N]
    python -m benchmarks.beside_trainers --worker TRAINER N      one training, as JSON on stdout

`run_inner` is what a node computes: the inner step, with a committed state every ten steps. The plain loop is PyTorch
as its tutorials have it, around Hugging Face's `LlamaForCausalLM` and `torch.optim.AdamW`; Hugging Face's `Trainer` has
the same model, and torchft's DiLoCo one replica of it, which exchanges with nobody and steps outside at the end of each
round. Decay is on matrices alone, no warm-up, and the rate is constant. Each training is a process of its own, the
trainers by turns, so that a busy machine is busy for all of them; medians of the turns.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.record import progress, write_result
from contracts.protocol.run_config import RunConfig
from contracts.protocol.sizes import SIZES
from trainer.data.batches import Batch, batch_source
from trainer.data.text import default_corpus
from trainer.model.hugging_face import settings_of
from trainer.model.state import initial_theta, start_tensors
from trainer.steps.determinism import configure_determinism
from trainer.steps.trajectory import run_inner

SEGMENT = 10
WARM = 3
"""Steps before the clock starts."""
PATIENCE = timedelta(seconds=120)
HERE = "127.0.0.1"


class Trained(NamedTuple):
    """Seconds from the end of the warm steps to the end, and the training loss of every step, in nats per token."""

    seconds: float
    losses: list[float]


def config_of(steps: int) -> RunConfig:
    """The named 1 M llama over bytes, at a constant rate."""
    constant = {"schedule": "constant", "warmup_steps": 0, "inner_lr": "0.001", "vocab": 256}
    return RunConfig(**{**SIZES["1M"], **constant, "steps": steps, "segment": steps if steps % SEGMENT else SEGMENT})


class Clock:
    """Starts after the warm steps."""

    def __init__(self) -> None:
        self.began = 0.0

    def step(self, done: int) -> None:
        """So many steps are done."""
        if done == WARM:
            self.began = time.perf_counter()

    def seconds(self) -> float:
        """Since the warm steps."""
        return time.perf_counter() - self.began


def ours(config: RunConfig, batches: list[Batch]) -> Trained:
    """A node's round."""
    clock = Clock()
    start = start_tensors(initial_theta(config), None)
    done = run_inner(config, start, batches.__getitem__, lambda step, _: clock.step(step + 1))
    return Trained(clock.seconds(), list(done.losses))


def plain(config: RunConfig, batches: list[Batch]) -> Trained:
    """A loop as anybody writes it."""
    model = their_model(config)
    return _loop(config, model, _adamw(config, model), batches)


def torchft(config: RunConfig, batches: list[Batch]) -> Trained:
    """One replica of DiLoCo, whose quorum is itself."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]
    from torchft.coordination import LighthouseServer
    from torchft.local_sgd import DiLoCo
    from torchft.manager import Manager
    from torchft.process_group import ProcessGroupGloo

    model = their_model(config)
    optimizer = _adamw(config, model)
    rates = {"lr": config.rate("outer_lr"), "momentum": config.rate("outer_momentum")}
    outer = torch.optim.SGD(model.parameters(), nesterov=True, **rates)  # type: ignore[arg-type]
    lighthouse = LighthouseServer(bind=f"{HERE}:0", min_replicas=1, join_timeout_ms=1_000)
    store = TCPStore(HERE, 0, is_master=True, wait_for_workers=False)
    manager = Manager(
        pg=ProcessGroupGloo(timeout=PATIENCE),
        min_replica_size=1,
        use_async_quorum=False,
        load_state_dict=lambda _state: None,
        state_dict=dict,
        replica_id="0",
        store_addr=HERE,
        store_port=store.port,
        rank=0,
        world_size=1,
        lighthouse_addr=lighthouse.address(),
        hostname=HERE,
        init_sync=False,
        timeout=PATIENCE,
        quorum_timeout=PATIENCE,
        connect_timeout=PATIENCE,
    )
    try:
        with DiLoCo(manager, [model], optimizer, outer, sync_every=config.steps):
            return _loop(config, model, optimizer, batches)
    finally:
        manager.shutdown(wait=False)
        lighthouse.shutdown()


def hugging_face(config: RunConfig, batches: list[Batch]) -> Trained:
    """`Trainer` on the windows in the order of the batches."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    clock = Clock()

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            clock.step(state.global_step)

    class Ordered(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    rows = [labelled(x, y) for batch in batches for x, y in zip(batch.x, batch.y, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=config.batch,
            max_steps=config.steps,
            max_grad_norm=config.rate("clip"),
            lr_scheduler_type="constant",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        model = their_model(config)
        trainer = Ordered(
            model=model,
            args=arguments,
            train_dataset=rows,
            optimizers=(_adamw(config, model), None),
            callbacks=[Watch()],
        )
        trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return Trained(clock.seconds(), losses)


def labelled(x: NDArray[np.int64], y: NDArray[np.int64]) -> dict[str, torch.Tensor]:
    """A window as the library wants it: it predicts each label from the tokens before, and so nothing of the first."""
    window = np.append(x, y[-1])
    labels = window.copy()
    labels[0] = -100  # else the mean is taken over one prediction more than there is
    return {"input_ids": torch.from_numpy(window), "labels": torch.from_numpy(labels)}


def _loop(config: RunConfig, model: nn.Module, optimizer: torch.optim.Optimizer, batches: list[Batch]) -> Trained:
    clock = Clock()
    losses = []
    for done, batch in enumerate(batches, start=1):
        logits = model(torch.from_numpy(batch.x)).logits
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.y).flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.rate("clip"))
        optimizer.step()
        losses.append(loss.item())
        clock.step(done)
    return Trained(clock.seconds(), losses)


def their_model(config: RunConfig) -> Any:
    """Hugging Face's llama with the run's first weights; room for one more position, which `Trainer` looks at."""
    from transformers import LlamaConfig, LlamaForCausalLM

    said = settings_of(config) | {"max_position_embeddings": config.context + 1, "use_cache": False}
    model = LlamaForCausalLM(LlamaConfig(**{n: v for n, v in said.items() if n not in ("architectures", "model_type")}))
    theta = {name.removeprefix("theta."): torch.from_numpy(value) for name, value in initial_theta(config).items()}
    model.load_state_dict(theta, strict=False)
    model.tie_weights()
    return model


def _adamw(config: RunConfig, model: nn.Module) -> torch.optim.AdamW:
    """Decay on matrices alone, as in our step."""
    weights = list(model.parameters())
    decayed = [value for value in weights if value.dim() > 1]
    plain_ones = [value for value in weights if value.dim() <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.rate("weight_decay")},
        {"params": plain_ones, "weight_decay": 0.0},
    ]
    betas = (config.rate("beta1"), config.rate("beta2"))
    return torch.optim.AdamW(groups, lr=config.rate("inner_lr"), betas=betas, eps=config.rate("eps"))


TRAINERS: Mapping[str, Callable[[RunConfig, list[Batch]], Trained]] = {
    "ours": ours,
    "plain PyTorch": plain,
    "Hugging Face Trainer": hugging_face,
    "torchft DiLoCo": torchft,
}


def trained(name: str, steps: int) -> Trained:
    """One training here and now; batches are drawn before, for none of them is measured."""
    configure_determinism()
    if name != "ours":
        torch.set_deterministic_debug_mode("default")  # theirs as they come
    config = config_of(steps)
    source = batch_source(default_corpus(), config, bytes(32), 1)
    batches = [source(step) for step in range(steps)]
    return TRAINERS[name](config, batches)


def measured(steps: int, turns: int) -> Iterator[tuple[str, Trained]]:
    """Each trainer in each turn, in a process of its own; the order turns, too."""
    names = list(TRAINERS)
    for turn in range(turns):
        for place in range(len(names)):
            name = names[(place + turn) % len(names)]
            command = [sys.executable, "-m", "benchmarks.beside_trainers", "--worker", name, "--steps", str(steps)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = Trained(*json.loads(done.stdout.splitlines()[-1]))
            progress(f"turn {turn + 1}, {name}: {_rate(steps, found):,.0f} tokens a second, {found.losses[-1]:.4f}")
            yield name, found


def _rate(steps: int, found: Trained) -> float:
    config = config_of(steps)
    return (steps - WARM) * config.batch * config.context / found.seconds


def summary(steps: int, found: Mapping[str, list[Trained]]) -> dict[str, Any]:
    """Median tokens a second, beside our own, and how far the losses of the same steps lie from ours."""
    rates = {name: median(_rate(steps, one) for one in turns) for name, turns in found.items()}
    own = found["ours"][0].losses
    return {
        name: {
            "tokens a second": round(rate),
            "ours over this": round(rates["ours"] / rate, 3),
            "loss of the last ten steps": round(float(np.mean(found[name][0].losses[-10:])), 5),
            "largest difference of a step's loss": round(
                max(abs(a - b) for a, b in zip(own, found[name][0].losses, strict=True)), 6
            ),
        }
        for name, rate in rates.items()
    }


def main() -> None:
    """All trainers by turns, or one of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--worker", choices=list(TRAINERS))
    asked = parser.parse_args()
    os.environ.setdefault("RUST_LOG", "error")
    if asked.worker:
        print(json.dumps(trained(asked.worker, asked.steps)))
        return
    found: dict[str, list[Trained]] = {}
    for name, one in measured(asked.steps, asked.turns):
        found.setdefault(name, []).append(one)
        with suppress(KeyError):  # until each had its first turn
            result = summary(asked.steps, found)
            write_result("beside_trainers", {"steps": asked.steps, "turns": asked.turns, "trainers": result})
    print(json.dumps(summary(asked.steps, found), indent=1))


if __name__ == "__main__":
    main()
