"""Beside the acts: the baselines of training together, from the same start and data."""

from __future__ import annotations

import json

from commonweight.demo.stage import DemoStage

KINDS = ("solo", "data-parallel")


def start_baselines(stage: DemoStage, rounds: int) -> None:
    """Start a process for each baseline, over the public rounds up to the voted one."""
    for kind in KINDS:
        stage.processes.start_module(
            kind,
            "commonweight.demo.baseline",
            kind,
            stage.api,
            stage.run,
            str(rounds),
            stage.cast.address("ada"),
            *map(str, stage.settings.data),
        )


def finish_baselines(stage: DemoStage) -> dict[str, list[float]]:
    """Held-out loss in nats per byte by kind: before the first round and after each."""
    return {kind: _finish(stage, kind) for kind in KINDS}


def _finish(stage: DemoStage, kind: str) -> list[float]:
    stage.say("compare", f"waiting for the {kind} run over the same data")
    stage.wait(f"the {kind} run", lambda: not stage.processes.alive(kind), seconds=600)
    return [json.loads(line)["loss"] for line in stage.processes.log(kind).read_text().splitlines()]
