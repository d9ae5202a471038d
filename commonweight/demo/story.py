"""The demo, act by act. It starts processes, waits for what they make public, and reads the outcome back."""

from __future__ import annotations

import json
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from commonweight.console import console, emit, errors
from commonweight.demo import cast as people
from commonweight.demo.cast import CHEAT, CHEAT_NAME, JOINER, KILLED, NODES, VERIFIERS, Cast, wallet
from commonweight.demo.processes import ActorFailed, Processes, free_port
from commonweight.demo.report import print_summary, write_report
from commonweight.demo.summary import Source, collect
from contracts.chain import connect
from contracts.errors import CommonweightError
from trainer.client import ApiClient

GENESIS = {
    "voting_delay": 1, "voting_period": 10, "timelock_delay": 2, "challenge_window": 4, "quorum_fraction": 20,
    "threshold": 2,
}  # fmt: skip
ROUNDS, KILL_ROUND, KILL_STEP, NEW_LR = 4, 3, 8, "0.0005"


@dataclass(frozen=True)
class DemoSettings:
    """All settings of the demo."""

    seed: int
    data: tuple[Path, ...]
    out: Path
    rpc_url: str
    as_json: bool


def run_demo(settings: DemoSettings) -> int:
    """Play all acts; 0 if every equality holds. Whatever happens, no process stays behind."""
    signal.signal(signal.SIGTERM, _interrupt)
    shutil.rmtree(settings.out, ignore_errors=True)
    settings.out.mkdir(parents=True)
    begun = time.monotonic()
    try:
        with Processes(settings.out / "logs", people.PASSPHRASE) as processes:
            summary = Story(settings, processes).play()
    except KeyboardInterrupt:
        errors.print("interrupted; every process was ended")
        return 130
    except CommonweightError as error:
        errors.print(f"{error.code}: {error.detail}", markup=False)
        return 1
    summary["seconds"] = round(time.monotonic() - begun, 1)
    page = write_report(settings.out, summary)
    (settings.out / "summary.json").write_text(json.dumps(summary, indent=1, sort_keys=True))
    if settings.as_json:
        emit(summary)
    else:
        print_summary(summary, page)
    return 0 if all(summary["checks"].values()) else 1


class Story:
    """The acts in their order, and what they hand on."""

    def __init__(self, settings: DemoSettings, processes: Processes) -> None:
        self.settings, self.processes = settings, processes
        self.cast = Cast(settings.seed, settings.out / "keys")
        self.api = f"http://127.0.0.1:{free_port()}"
        self.rpc = settings.rpc_url or f"http://127.0.0.1:{free_port()}"
        self.deployment = settings.out / "deployment.json"
        self._began = time.monotonic()

    def play(self) -> dict[str, Any]:
        """All of it."""
        self.cast.prepare()
        self._open_chain()
        client, run = self._open_run()
        self._train_together(client, run)
        baselines = self._start_baselines(run)
        self._settle(client)
        proposal = self._vote(client)
        self._obey(client, run)
        summary = collect(Source(client, self.rpc, run, self.cast, proposal))
        return {**summary, "baselines": self._finish_baselines(baselines), "seed": self.settings.seed}

    def _open_chain(self) -> None:
        if not self.settings.rpc_url:
            funded = [self.cast.address(name) for name in (*VERIFIERS, *people.SERVICES)]
            port = self.rpc.rsplit(":", 1)[1]
            self.processes.start("chain", "chain", "--port", port, *(a for f in funded for a in ("--fund", f)))
        self.processes.wait("the chain", lambda: _answers(self.rpc))
        self._say("chain", f"serves JSON-RPC at {self.rpc}")
        named = [a for v in VERIFIERS for a in ("--verifier", self.cast.address(v))]
        self.processes.command(
            "model", "deploy", "--keystore", self._key("creator"), "--name", "Demo", "--symbol", "DEMO", *named,
            "--out", str(self.deployment), "--rpc-url", self.rpc, "--params", json.dumps(GENESIS),
        )  # fmt: skip
        self._say("contracts", "deployed; no key holds a power over them")

    def _open_run(self) -> tuple[ApiClient, str]:
        self.processes.start(
            "api", "serve", "--deployment", str(self.deployment), "--keystore", self._key("operator"), "--port",
            self.api.rsplit(":", 1)[1], "--rpc-url", self.rpc, "--folder", str(self.settings.out / "server"),
        )  # fmt: skip
        config = json.dumps({"rounds": ROUNDS, "seed": self.settings.seed})
        train = (
            "model", "train", "--keystore", self._key("creator"), "--api", self.api, "--config", config,
            "--min-nodes", "3", "--lease-seconds", "12", "--json", *self._data(),
        )  # fmt: skip
        reached = ("--deployment", str(self.deployment), "--rpc-url", self.rpc)
        stakes = [("model", "stake", "--keystore", self._key(v), *reached) for v in VERIFIERS]
        run = self.processes.commands([train, *stakes])[0]["run"]
        self._say("api", f"serves at {self.api}")
        self._say("verifiers", "have staked")
        text = "your" if self.settings.data else "CPython's own"
        self._say("run", f"{run} on {text} text")
        self._start_verifiers(run)
        self._start_nodes(run)
        return ApiClient(self.api), run

    def _start_verifiers(self, run: str) -> None:
        for name in VERIFIERS:
            self.processes.start(
                name, "verifier", "run", "--keystore", self._key(name), "--run", run, "--api", self.api, "--rpc-url",
                self.rpc, "--folder", str(self.settings.out / name), *self._data(),
            )  # fmt: skip

    def _start_nodes(self, run: str) -> None:
        for name in NODES:
            self.processes.start(
                name, "node", "--keystore", self._key(name), "--run", run, "--payout",
                self.cast.address(wallet(name)), "--api", self.api, "--folder", str(self.settings.out / name),
                "--from-round", "2" if name == JOINER else "1",
                *(("--cheat", CHEAT_NAME) if name == CHEAT else ()), *self._data(),
            )  # fmt: skip

    def _train_together(self, client: ApiClient, run: str) -> None:
        self._told: set[str] = set()
        self.processes.wait("four rounds", lambda: self._watch(client, run, ROUNDS), seconds=600)

    def _watch(self, client: ApiClient, run: str, until: int) -> bool:
        state = client.get(f"/runs/{run}")
        if state["round"] == 0:
            return False
        for number in range(max(1, state["round"] - 1), state["round"] + 1):
            current = client.get(f"/runs/{run}/rounds/{number}")
            self._tell(current)
            self._kill_when_due(current)
        return bool(state["round"] >= until and state["phase"] == "complete")

    def _kill_when_due(self, current: dict[str, Any]) -> None:
        if current["round"] != KILL_ROUND or not self.processes.alive(KILLED):
            return
        step = next((n["step"] for n in current["nodes"] if self.cast.name_of(n["node"]) == KILLED), 0)
        if step >= KILL_STEP:
            self.processes.kill(KILLED)
            self._say(KILLED, f"killed with SIGKILL at step {step} of round {KILL_ROUND}")

    def _tell(self, current: dict[str, Any]) -> None:
        number = current["round"]
        names = [self.cast.name_of(n["node"]) for n in current["nodes"]]
        self._once(f"round {number}", f"opens with {', '.join(names)}; configuration {current['config_digest'][:12]}…")
        for node in current["nodes"]:
            name = self.cast.name_of(node["node"])
            quarter = node["step"] // 10 * 10
            if quarter and not node["lapsed"]:
                self._once(f"round {number}", f"{name} at step {quarter} and beyond")
            if node["lapsed"]:
                self._once(f"round {number}", f"{name} fell silent; the round goes on without it")
        for proof in current["proofs"]:
            self._tell_proof(number, proof)
        if current["merge"]:
            losses = sorted(current["merge"]["held_out_loss"].values())
            self._once(f"round {number}", f"merged; held-out loss {losses[len(losses) // 2] / 1e9:.4f} nats a byte")

    def _tell_proof(self, number: int, proof: dict[str, Any]) -> None:
        name = self.cast.name_of(proof["node"])
        self._once(f"round {number}", f"{name} committed {proof['proof'][:12]}…")
        if proof["stage"] == 2:
            self._once(f"round {number}", f"{name} is disputed; every verifier replays the segment")
        if proof["state"] == "posted":
            self._once(f"round {number}", f"{name} verified: {proof['work']:,} tokens of work posted")
        if proof["state"] == "voided":
            measured, limit = int(proof["measured"]) / 1e18, int(proof["limit"]) / 1e18
            text = f"{name} VOIDED: {proof['reason']}, error {measured:.3g}, limit {limit:.3g}"
            self._once(f"round {number}", text)

    def _start_baselines(self, run: str) -> list[str]:
        for kind in ("solo", "data-parallel"):
            self.processes.start_module(
                kind, "commonweight.demo.baseline", kind, self.api, run, str(ROUNDS + 1), self.cast.address("ada"),
                *map(str, self.settings.data),
            )  # fmt: skip
        return ["solo", "data-parallel"]

    def _finish_baselines(self, kinds: list[str]) -> dict[str, list[float]]:
        for kind in kinds:
            self._say("compare", f"waiting for the {kind} run over the same data")
            self.processes.wait(kind, lambda kind=kind: not self.processes.alive(kind), seconds=300)  # type: ignore[misc]
        lines = {kind: [json.loads(x) for x in self.processes.log(kind).read_text().splitlines()] for kind in kinds}
        return {kind: [line["loss"] for line in lines[kind]] for kind in kinds}

    def _settle(self, client: ApiClient) -> None:
        def final() -> bool:
            epoch = client.get("/epochs")[0]
            if epoch["signatures"]:
                signers = ", ".join(sorted(self.cast.name_of(s) for s in epoch["signatures"]))
                self._once("epoch 1", f"payout root rebuilt from the log and signed by {signers}")
            self._once("epoch 1", f"is {epoch['state']}")
            return bool(epoch["state"] == "final")

        self.processes.wait("the challenge window", final)
        payees = [n for n in NODES if n != CHEAT]
        self.processes.commands(
            [("wallet", "claim", self.cast.address(wallet(n)), "--api", self.api, "--json") for n in payees]
        )
        self._say("claims", f"{', '.join(payees)} were minted their shares; the relayer paid the gas")
        self._cheat_claims()
        self.processes.wait("the ledger to see the mints", lambda: self._minted(client) == len(payees))

    def _cheat_claims(self) -> None:
        try:
            self.processes.command("wallet", "claim", self.cast.address(wallet(CHEAT)), "--api", self.api)
        except ActorFailed as refusal:
            self._say("claims", f"{CHEAT} tried too: {refusal.detail.split(': ', 1)[1]}")
            return
        raise ActorFailed(f"{CHEAT} could claim")

    def _minted(self, client: ApiClient) -> int:
        return sum(account.startswith("minted:") for account in client.get("/balances/units"))

    def _vote(self, client: ApiClient) -> str:
        reached = ("--api", self.api, "--rpc-url", self.rpc)
        proposal = str(
            self.processes.command(
                "gov", "propose", "--keystore", self._key(wallet("ada")), "--description",
                "Halve the inner learning rate and train one more round.", "--decide", f"inner_lr={NEW_LR}",
                "--decide", f"rounds={ROUNDS + 1}", *reached, "--json",
            )["proposal"]
        )  # fmt: skip
        self._say("vote", f"ada proposes inner_lr {NEW_LR} and one more round")
        self._await_state(client, proposal, "active")
        votes = (("ada", "for"), ("ben", "against"), ("dee", "for"))
        self.processes.commands(
            [("gov", "vote", proposal, said, "--keystore", self._key(wallet(n)), *reached) for n, said in votes]
        )
        self._say("vote", ", ".join(f"{name} {said}" for name, said in votes) + "; all by signature")
        self._await_state(client, proposal, "executed")
        counts = client.get(f"/proposals/{proposal}/tally")
        shares = {who: {k: f"{int(v) / 1e18:,.0f}" for k, v in counts[who].items()} for who in counts}
        self._say("vote", f"API counts {shares['api']}, the Governor {shares['governor']}")
        return proposal

    def _await_state(self, client: ApiClient, proposal: str, state: str) -> None:
        def reached() -> bool:
            found = client.get(f"/proposals/{proposal}")["state"]
            self._once("vote", f"is {found}")
            if found in ("defeated", "canceled", "expired"):
                raise ActorFailed(f"the proposal is {found}")
            return bool(found == state)

        self.processes.wait(f"the proposal to be {state}", reached)

    def _obey(self, client: ApiClient, run: str) -> None:
        self.processes.wait("the round that was voted", lambda: self._watch(client, run, ROUNDS + 1), seconds=300)
        before, after = (client.get(f"/runs/{run}/rounds/{n}") for n in (ROUNDS, ROUNDS + 1))
        for current in (before, after):
            lr = json.loads(current["config"])["inner_lr"]
            self._say("obeyed", f"round {current['round']}: inner_lr {lr}, digest {current['config_digest']}")

    def _data(self) -> tuple[str, ...]:
        return tuple(a for path in self.settings.data for a in ("--data", str(path)))

    def _key(self, name: str) -> str:
        return str(self.cast.keystore(name))

    def _once(self, topic: str, text: str) -> None:
        if not hasattr(self, "_told"):
            self._told = set()
        if topic + text not in self._told:
            self._told.add(topic + text)
            self._say(topic, text)

    def _say(self, topic: str, text: str) -> None:
        if not self.settings.as_json:
            seconds = time.monotonic() - self._began
            console.print(f"[dim]{seconds:6.1f}s[/dim]  [bold]{topic:<10}[/bold] {text}", soft_wrap=True)


def _answers(url: str) -> bool:
    return bool(connect(url, timeout=2).is_connected())


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
