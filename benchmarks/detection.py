"""How often fakes are caught, against the share that is faked and the sample size, measured by running the network.

    python -m benchmarks.detection [--rounds N] [--processes N]      writes benchmarks/results/detection.json

Nothing is simulated: a chain, a server on loopback, verifiers with their mirrors, and light nodes that train a tiny
model and commit to it, all in one process (tests/service/stage.py). In each round every faking node leaves out the
steps of c of the M segments, chosen anew for each round, moves the step count on and commits to what came of it. A
proof is one trial: its draws come from beacon, secrets and proof, so proofs of one round are independent. Counted are
those that were voided. They must agree, within the 99.9 % binomial interval, with (`AuditPlan.seen`)

    one verifier, s samples:   1 - C(M-c, s) / C(M, s)
    v verifiers:               1 - (M-c)/M * (C(M-1-c, s-1) / C(M-1, s-1))^v

The second is ours: one segment is common to all verifiers of a proof, the other s - 1 each draws by itself among the
rest, and one that says false calls the bench to what is questioned. For v = 1 both are the same. Besides, with no
allowance: a proof is voided if and only if somebody drew one of its fakes, and no honest proof is voided.

Beacons and secrets are fresh in each run of this program: no seed repeats it draw by draw.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from benchmarks.economics import Z_999
from benchmarks.record import progress, write_result
from commonweight.model.terms import RunRules, RunText, open_run
from contracts.errors import CommonweightError
from contracts.protocol.run_config import RunConfig
from tests.deployed import key_of
from tests.service.stage import GENESIS, Stage, staged
from trainer.cheats.stepping import Step, honest_step, stepping
from trainer.conduct import Conduct, RoundTask
from trainer.data.batches import BatchSource
from trainer.model.state import TrainState
from trainer.steps.inner_step import StepResult
from trainer.steps.trajectory import OnStep, Trajectory
from verifier.planning.audit_plan import AuditPlan
from verifier.planning.audit_simulation import Detection

MODEL = {"layers": 1, "d_model": 16, "heads": 2, "context": 16, "batch": 2, "segment": 2}
PATIENCE_SECONDS, ROUND_SECONDS = 600, 900.0
"""Of a period, so that nobody lapses on a crowded machine; and of a round before the measurement is given up."""
BEACON_SPAN = 10
"""Seconds in which k verifiers must say `Seen`. Where they are late, a whole period passes before the next beacon."""
CHOICE = secrets.SystemRandom()


class MeasurementBroken(CommonweightError):
    """The network did something that is neither a detection nor a miss."""

    code = "measurement-broken"


@dataclass(frozen=True)
class Setting:
    """A run: M segments, s samples of each verifier, and how many nodes fake which number of segments."""

    segments: int
    samples: int
    verifiers: int
    nodes: dict[int, int]

    def exact(self, faked: int) -> float:
        """Probability that one of all verifiers draws one of `faked` segments."""
        plan = AuditPlan(
            Fraction(1), Fraction(0), self.segments, 1, self.samples, verifiers=self.verifiers, quorum=self.verifiers
        )
        return float(plan.seen(faked))

    def __str__(self) -> str:
        return f"M = {self.segments}, s = {self.samples}, {self.verifiers} verifier(s)"


NODES = {0: 1, 1: 4, 3: 4, 5: 4}
SETTINGS = (Setting(10, 2, 3, NODES), Setting(10, 2, 1, NODES), Setting(10, 3, 1, NODES))  # the longest first


@dataclass(frozen=True)
class Trial:
    """One decided proof: how many segments were faked, whether it was voided, whether a verifier drew a fake."""

    faked: int
    voided: bool
    drawn: bool


class Faker(Conduct):
    """Leaves out the steps of `faked` segments, others in each round; with 0 it is honest."""

    def __init__(self, faked: int) -> None:
        self.faked = faked
        self.fakes: dict[int, frozenset[int]] = {}

    def run_inner(self, job: RoundTask, on_step: OnStep, folder: Path | None) -> Trajectory:
        """The round's work, or what passes for it."""
        chosen = self.fakes.setdefault(job.number, frozenset(CHOICE.sample(range(job.config.segments), self.faked)))
        return stepping(leaving_out(chosen))(job.config, job.start, job.batches(), on_step, folder)


def leaving_out(fakes: frozenset[int]) -> Step:
    """The honest step, but nothing is computed in these segments: only the step count moves on."""

    def step(config: RunConfig, model: nn.Module, state: TrainState, batches: BatchSource, number: int) -> StepResult:
        if number // config.segment not in fakes:
            return honest_step(config, model, state, batches, number)
        state.step += 1
        return StepResult(float(np.log(config.vocab)), 1.0)

    return step


class Network:
    """A run of one setting on a stage of its own."""

    def __init__(self, stage: Stage, setting: Setting, rounds: int) -> None:
        self._stage, self._setting, self._rounds = stage, setting, rounds
        stage.wait("the chain in the log", lambda: stage.client.get("/log/size")["size"] > 1)
        self._open()
        for number in range(setting.verifiers):
            stage.start(f"verifier {number}", stage.verifier(number).run)
        self._nodes = {}
        for place, faked in enumerate(faked for faked, count in setting.nodes.items() for _ in range(count)):
            name, conduct = f"node {place} of {faked}", Faker(faked)
            node = stage.node(name, conduct=conduct)
            self._nodes[node.address] = conduct
            stage.start(name, node.take_part)

    def trials(self) -> list[Trial]:
        """All proofs of the run, once it is over."""
        client, run = self._stage.client, self._stage.run
        seconds = ROUND_SECONDS * self._rounds
        self._stage.wait("the run's end", lambda: client.get(f"/runs/{run}")["phase"] == "over", seconds)
        proofs = [client.get(f"/proofs/{line['proof']}") for line in client.get(f"/runs/{run}/proofs")]
        self._check_words()
        return [self._trial(proof) for proof in proofs]

    def _open(self) -> None:
        stage, setting = self._stage, self._setting
        model = {**MODEL, "steps": setting.segments * MODEL["segment"], "rounds": self._rounds}
        rules = RunRules(
            10**21,
            rounds_per_epoch=self._rounds,
            min_nodes=sum(setting.nodes.values()),
            samples=setting.samples,
            beacon_span=BEACON_SPAN,
            period_seconds=PATIENCE_SECONDS,
            lease_seconds=PATIENCE_SECONDS,
        )
        stage.run = open_run(stage.api, key_of("creator").key.hex(), model, rules, RunText((stage.text,)))

    def _trial(self, view: dict[str, Any]) -> Trial:
        """Raises MeasurementBroken for what is no trial."""
        conduct = self._nodes[view["node"]]
        if (view["state"], view["reason"]) not in (("posted", None), ("voided", "replay-mismatch")):
            raise MeasurementBroken(f"a proof with {conduct.faked} faked segments is {view['state']}: {view['reason']}")
        drawn = {segment for segments in view["draws"].values() for segment in segments}
        fakes = conduct.fakes[view["round"]]
        return Trial(conduct.faked, view["state"] == "voided", not fakes.isdisjoint(drawn))

    def _check_words(self) -> None:
        """Nobody lapsed, as all are there. Raises MeasurementBroken."""
        said = [line for lines in self._stage.said.values() for line in lines if line.event in ("lapse", "log failed")]
        if said:
            raise MeasurementBroken(f"{len(said)} lapses in a network in which all are there, first {said[0]}")


def trials_of(setting: Setting, rounds: int) -> list[Trial]:
    """All proofs of that many rounds. Raises MeasurementBroken."""
    genesis = replace(GENESIS, threshold=setting.verifiers // 2 + 1)
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder), genesis) as stage:
        trials = Network(stage, setting, rounds).trials()
    progress(f"{setting}: {rounds} rounds, {sum(t.voided for t in trials)} of {len(trials)} proofs voided")
    return trials


def points(setting: Setting, trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """One line for each number of faked segments, 0 left out."""
    found = []
    for faked in sorted(setting.nodes.keys() - {0}):
        proofs = [trial for trial in trials if trial.faked == faked]
        measured = Detection(faked, len(proofs), sum(trial.voided for trial in proofs), setting.exact(faked))
        found.append(
            {
                "segments": setting.segments,
                "samples": setting.samples,
                "verifiers": setting.verifiers,
                "faked share": faked / setting.segments,
                "proofs": measured.audits,
                "voided": measured.hits,
                "measured": round(measured.hits / measured.audits, 4),
                "exact": round(measured.exact, 4),
                "interval 99.9 %": [round(bound, 4) for bound in measured.interval(Z_999)],
                "agrees": measured.agrees(Z_999),
            }
        )
    return found


def summary(figure: Sequence[dict[str, Any]], trials: Sequence[Trial]) -> dict[str, Any]:
    """The numbers that decide, and `passed`."""
    honest = [trial for trial in trials if not trial.faked]
    agree, against = sum(line["agrees"] for line in figure), sum(t.voided != t.drawn for t in trials)
    wronged = sum(trial.voided for trial in honest)
    return {
        "points": len(figure),
        "points that agree": agree,
        "proofs": len(trials),
        "honest proofs": len(honest),
        "honest proofs voided": wronged,
        "proofs decided against their draw": against,
        "passed": agree == len(figure) and not wronged and not against,
    }


def main() -> None:
    """Play every setting, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="rounds of each setting; each gives a point four trials")
    parser.add_argument("--processes", type=int, default=2, help="settings that are played at once")
    asked, begun = parser.parse_args(), time.perf_counter()
    with ProcessPoolExecutor(asked.processes, get_context("spawn")) as pool:
        played = list(pool.map(partial(trials_of, rounds=asked.rounds), SETTINGS))
    figure = [line for setting, trials in zip(SETTINGS, played, strict=True) for line in points(setting, trials)]
    found = summary(figure, [trial for trials in played for trial in trials])
    write_result(
        "detection",
        {"rounds": asked.rounds, "seconds": round(time.perf_counter() - begun), "summary": found, "points": figure},
    )
    print(json.dumps(found, indent=1))
    sys.exit(0 if found["passed"] else 1)


if __name__ == "__main__":
    main()
