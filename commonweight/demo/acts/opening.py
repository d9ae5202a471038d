"""First act: a chain, the contracts, the API, a run, and its nodes and verifiers."""

from __future__ import annotations

import json
import time

from commonweight.demo.cast import CHEAT, CHEAT_NAME, JOINER, NODES, SERVICES, VERIFIERS, wallet
from commonweight.demo.funding import COIN, ensure_funded
from commonweight.demo.stage import MOST_ROUNDS, ROUNDS, SCHEDULE, DemoStage
from contracts.chain.connection import connect
from contracts.genesis.params import GenesisParams
from contracts.ids import as_address

GENESIS = {
    "voting_delay": 1,
    "timelock_delay": 2,
    "late_quorum_extension": 0,
    "challenge_window": 4,
    "quorum_fraction": 20,
    "quorum_floor": 1,
    "threshold": 2,
}
GAS_MONEY = COIN // 2
VOTING_SECONDS, COMMANDS = 20, 20
"""A vote is open for so long, and for as many times the seconds of a command: on a busy machine votes come later."""


def open_chain(stage: DemoStage) -> None:
    """Start the embedded chain, or see to it that the given one can carry the demo; deploy the contracts."""
    if stage.settings.rpc_url:
        _join_chain(stage)
    else:
        _start_chain(stage)
    stage.say("chain", f"serves JSON-RPC at {stage.rpc}")
    verifiers = [a for v in VERIFIERS for a in ("--verifier", stage.cast.address(v))]
    begun = time.monotonic()
    log_key = str(stage.command("keys", "log-key", stage.key("operator")))
    voting_period = max(VOTING_SECONDS, round(COMMANDS * (time.monotonic() - begun)))
    stage.command(
        "model",
        "deploy",
        "--keystore",
        stage.key("creator"),
        "--name",
        "Demo",
        "--symbol",
        "DEMO",
        *verifiers,
        "--log-key",
        log_key,
        "--out",
        str(stage.deployment),
        "--rpc-url",
        stage.rpc,
        "--params",
        json.dumps({**GENESIS, "voting_period": voting_period}),
    )
    stage.say("contracts", "deployed; no key holds a power over them")


def open_run(stage: DemoStage) -> None:
    """Start the API, create the run, stake, and start verifiers and nodes."""
    stage.processes.start(
        "api",
        "serve",
        "--deployment",
        str(stage.deployment),
        "--keystore",
        stage.key("operator"),
        "--port",
        stage.api.rsplit(":", 1)[1],
        "--rpc-url",
        stage.rpc,
        "--folder",
        stage.folder("server"),
    )
    config = json.dumps({**SCHEDULE, "rounds": MOST_ROUNDS, "seed": stage.settings.seed})
    train = (
        "model",
        "train",
        "--keystore",
        stage.key("creator"),
        "--api",
        stage.api,
        "--config",
        config,
        "--rounds-per-epoch",
        str(ROUNDS),
        "--min-nodes",
        "3",
        "--lease-seconds",
        "12",
        "--period-seconds",
        "60",
        "--beacon-span",
        "6",
        "--json",
        *stage.data,
    )
    stage.commands(stakes(stage))
    stage.say("verifiers", "have staked")
    stage.wait("the API", lambda: stage.client.get("/log/size")["size"] > 1)
    stage.say("api", f"serves at {stage.api}")
    stage.run = stage.command(*train)["run"]
    text = "your" if stage.settings.data else "CPython's own"
    stage.say("run", f"{stage.run} on {text} text")
    _start_verifiers(stage)
    _start_nodes(stage)


def stakes(stage: DemoStage) -> list[tuple[str, ...]]:
    """The commands with which the verifiers stake."""
    where = ("--deployment", str(stage.deployment), "--rpc-url", stage.rpc)
    return [("model", "stake", "--keystore", stage.key(v), *where) for v in VERIFIERS]


def _start_chain(stage: DemoStage) -> None:
    funded = [stage.cast.address(name) for name in (*VERIFIERS, *SERVICES)]
    port = stage.rpc.rsplit(":", 1)[1]
    stage.processes.start("chain", "chain", "--port", port, *(a for f in funded for a in ("--fund", f)))
    stage.wait("the chain", lambda: _answers(stage.rpc))


def _join_chain(stage: DemoStage) -> None:
    stage.wait(f"an answer from {stage.rpc}", lambda: _answers(stage.rpc), seconds=10)
    w3 = connect(stage.rpc)
    stake = GenesisParams().min_stake
    needed = {stage.cast.address(name): GAS_MONEY for name in SERVICES}
    needed |= {stage.cast.address(name): stake + GAS_MONEY for name in VERIFIERS}
    funded = ensure_funded(w3, needed)
    if funded:
        stage.say("chain", f"is a local one: it gave coins to {len(funded)} keys of the demo")
    start_block = w3.eth.block_number
    stage.wait(
        "a new block (anvil needs --block-time 1, and --slots-in-an-epoch 1 to be quick)",
        lambda: w3.eth.block_number > start_block,
        seconds=60,
    )


def _start_verifiers(stage: DemoStage) -> None:
    for name in VERIFIERS:
        stage.processes.start(
            name,
            "verifier",
            "run",
            "--keystore",
            stage.key(name),
            "--run",
            stage.run,
            *stage.reached,
            "--deployment",
            str(stage.deployment),
            "--folder",
            stage.folder(name),
            *stage.data,
        )


def _start_nodes(stage: DemoStage) -> None:
    for name in NODES:
        stage.processes.start(
            name,
            "node",
            "--keystore",
            stage.key(name),
            "--run",
            stage.run,
            "--payout",
            stage.cast.address(wallet(as_address(name))),
            *stage.reached,
            "--deployment",
            str(stage.deployment),
            "--folder",
            stage.folder(name),
            "--json",
            "--from-round",
            "2" if name == JOINER else "1",
            *(("--cheat", CHEAT_NAME) if name == CHEAT else ()),
            *stage.data,
        )


def _answers(url: str) -> bool:
    return bool(connect(url, timeout=2, patience=0.0).is_connected())
