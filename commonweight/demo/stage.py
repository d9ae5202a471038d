"""The shared tools of all acts: settings, keys, processes, addresses, output and waiting."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from commonweight.demo.cast import Cast
from commonweight.demo.live import DemoBoard
from commonweight.demo.narrator import Narrator
from commonweight.demo.processes import Processes, free_port
from contracts.wire.rounds import Round
from trainer.client import ApiClient

ROUNDS = 4
KILL_ROUND = 3
KILL_STEP = 8
NEW_LR = "0.0005"
MOST_ROUNDS = 40
"""Rounds of the run, which goes on while the holders vote."""
SCHEDULE = {"steps": 40, "segment": 4}
"""Rounds much shorter than the default, since a demo has minutes (ADR 12)."""


@dataclass(frozen=True)
class DemoSettings:
    """All settings of the demo."""

    seed: int
    data: tuple[Path, ...]
    out: Path
    rpc_url: str


class DemoStage:
    """One performance; `run` is set once the run is created."""

    def __init__(self, settings: DemoSettings, processes: Processes, narrator: Narrator, board: DemoBoard) -> None:
        self.settings = settings
        self.processes = processes
        self.board = board
        self.say = narrator.say
        self.once = narrator.once
        self.cast = Cast(settings.seed, settings.out / "keys")
        self.api = f"http://127.0.0.1:{free_port()}"
        self.rpc = settings.rpc_url or f"http://127.0.0.1:{free_port()}"
        self.deployment = settings.out / "deployment.json"
        self.run = ""

    @cached_property
    def client(self) -> ApiClient:
        """A reader of the API, which must run."""
        return ApiClient(self.api)

    def round(self, number: int) -> Round:
        """One round as the API shows it."""
        return self.client.read(Round, f"/runs/{self.run}/rounds/{number}")

    def steps(self, name: str, number: int) -> int:
        """Inner steps that a node has done in a round, by its own lines."""
        lines = self.processes.log(name).read_text(errors="replace").splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return max((e["step"] for e in events if e.get("event") == "step" and e["round"] == number), default=0)

    def wait(self, what: str, ready: Callable[[], Any], seconds: float = 120.0) -> Any:
        """Poll until `ready` gives something true. Raises ActorFailed when time is up or a process ends."""
        self.board.busy(what)
        return self.processes.wait(what, ready, seconds)

    def command(self, *arguments: str) -> Any:
        """Run a short command to its end."""
        self.board.busy(" ".join(arguments[:2]))
        return self.processes.command(*arguments)

    def commands(self, many: list[tuple[str, ...]]) -> list[Any]:
        """Run short commands side by side."""
        self.board.busy(" ".join(many[0][:2]))
        return self.processes.commands(many)

    def key(self, name: str) -> str:
        """Path of a keystore, for a command line."""
        return str(self.cast.keystore(name))

    def folder(self, name: str) -> str:
        """The folder of an actor."""
        return str(self.settings.out / name)

    @property
    def data(self) -> tuple[str, ...]:
        """The options that name the text to train on."""
        return tuple(a for path in self.settings.data for a in ("--data", str(path)))

    @property
    def reached(self) -> tuple[str, ...]:
        """The options that name API and chain."""
        return "--api", self.api, "--rpc-url", self.rpc
