"""The network on this machine: chain, PostgreSQL, server, keeper, verifiers and nodes as processes, a relay between.

Mirrors' addresses are signed and told to others, so the relay stands where a verifier's `--public-url` points.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from sqlalchemy import make_url

from benchmarks.weather.lines import clocks
from benchmarks.weather.lines.gusts import Line
from benchmarks.weather.lines.relay import Listening, Relay
from benchmarks.weather.lines.sky import Sky
from benchmarks.weather.parties import Party
from commonweight.demo.processes import Processes, free_port
from commonweight.keystore import PASSPHRASE_VARIABLE, write_keystore
from commonweight.model.terms import RunRules, RunText, open_run
from contracts.bindings.node_stakes import NodeStakes
from contracts.bindings.verifier_registry import VerifierRegistry
from contracts.chain.connection import connect, send
from contracts.chain.deployment import Deployment
from contracts.genesis.deploy import deploy_model
from contracts.genesis.params import GenesisParams
from contracts.protocol.log.operator import LogSigner
from tests import postgres
from trainer.client import ApiClient

T = TypeVar("T")
PASSPHRASE = "keys of a benchmark"  # noqa: S105 - they guard nothing
VERIFIERS = ("vera", "vito", "viki")
NODES = ("ada", "ben", "cal", "dee", "eve", "fay", "gil", "hal")
"""A network has as many of the first as it is told."""
SERVER, KEEPER, RPC, DATABASE = "server", "keeper", "rpc", "database"
STAKE = 10**18
BLOCK_SECONDS = 2
GENESIS = GenesisParams(
    voting_delay=10,
    voting_period=20,
    timelock_delay=2,
    late_quorum_extension=0,
    challenge_window=4,
    quorum_floor=1,
    threshold=2,
)
CONFIG = {"layers": 1, "d_model": 32, "heads": 2, "context": 16, "steps": 30, "segment": 3, "batch": 4, "clip": "0.1"}
RULES = RunRules(
    10**21, rounds_per_epoch=4, min_nodes=2, lease_seconds=30, period_seconds=300, beacon_span=40, node_stake=STAKE
)
"""A period is longer than the longest silence: else who is cut off for two minutes would rightly lose its stake."""
PATIENCE = 240.0


class NotReady(Exception):
    """The network does not come up, or not back."""


@dataclass(frozen=True)
class Place:
    """Where everything is: the deployment, the run, and addresses without a relay before them."""

    deployment: Deployment
    file: Path
    run: str
    rpc: str
    api: str
    mirrors: Mapping[str, str]


class Network:
    """Use as a context: leaving it ends every process. `place` is there once it runs. Nodes and verifiers print objects
    for scripts, or lines for people (`plain`)."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        nodes: int = 4,
        rounds: int = 100_000,
        rules: RunRules = RULES,
        config: Mapping[str, Any] = CONFIG,
        plain: bool = False,
    ) -> None:
        self._style = () if plain else ("--json",)
        self.folder, self.seed, self._rules = folder, seed, rules
        self._config = {**config, "rounds": rounds, "seed": seed}
        self.nodes = NODES[:nodes]
        self.sky = Sky()
        self.parties: dict[str, Party] = {}
        self._stack = ExitStack()
        self.begun = time.monotonic()

    def __enter__(self) -> Network:
        try:
            self._raise()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        for party in self.parties.values():
            party.close()
        self._stack.close()

    def key(self, name: str) -> LocalAccount:
        """The account of that name."""
        return Account.from_key(keccak(text=f"commonweight weather {self.seed} {name}"))  # type: ignore[no-any-return]

    def wait(self, what: str, ready: Callable[[], T], seconds: float = PATIENCE, pause: float = 0.3) -> T:
        """Poll until it is there. Raises NotReady."""
        end = time.monotonic() + seconds
        while not (found := _tried(ready)):
            if time.monotonic() > end:
                raise NotReady(f"gave up waiting for {what} after {seconds:.0f} s; logs are in {self.folder}")
            time.sleep(pause)
        return found

    def stakes(self) -> dict[str, int]:
        """Wei that each verifier and node has on the chain."""
        w3, registry = connect(self.place.rpc), self.place.deployment.verifier_registry
        verifiers, nodes = VerifierRegistry(w3, registry), NodeStakes(w3, registry)
        found = {name: verifiers.stake_of(self.key(name).address) for name in VERIFIERS}
        return found | {name: nodes.stake_of(self.key(name).address) for name in self.nodes}

    # -- the beginning ------------------------------------------------------------------------------------------------

    def _raise(self) -> None:
        names = (*VERIFIERS, *self.nodes, "creator", "operator")
        for name in names:
            write_keystore(self._keystore(name), bytes(self.key(name).key), PASSPHRASE, 1)
        text = self.folder / "text.txt"
        text.write_text("".join(f"line {i}: the quick brown fox, {i * i} times\n" for i in range(500)))
        self._commands = self._stack.enter_context(Processes(self.folder / "commands", PASSPHRASE))
        self.relay = Relay(self.sky, lambda: {party.name: party.group for party in self.parties.values()})
        self._stack.callback(self.relay.close)
        self._open_chain(names)
        self._open_server()
        run = self._open_run()
        self._open_verifiers(run)
        self._open_nodes(run)

    def _open_chain(self, names: tuple[str, ...]) -> None:
        self._rpc_port = free_port()
        self._rpc = f"http://127.0.0.1:{self._rpc_port}"
        fund = [option for name in names for option in ("--fund", self.key(name).address)]
        self._commands.start("chain", "chain", "--port", str(self._rpc_port), "--block-time", str(BLOCK_SECONDS), *fund)
        self.wait("the chain", lambda: connect(self._rpc, timeout=2, patience=0.0).is_connected())
        w3, verifiers = connect(self._rpc), [str(self.key(name).address) for name in VERIFIERS]
        log = LogSigner.of(bytes(self.key("operator").key)).public.vkey()
        self._deployment = deploy_model(w3, self.key("creator"), "Weather", "WET", verifiers, GENESIS, log=log)
        self._file = self.folder / "deployment.json"
        self._file.write_text(self._deployment.to_json())
        registry = self._deployment.verifier_registry
        for name in VERIFIERS:
            send(w3, self.key(name), VerifierRegistry(w3, registry).stake(), value=STAKE)
        for name in self.nodes:
            send(w3, self.key(name), NodeStakes(w3, registry).stake(), value=STAKE)

    def _open_server(self) -> None:
        url = make_url(self._stack.enter_context(postgres.empty_database()))
        socket = Path(str(url.query["host"])) / ".s.PGSQL.5432"
        self.database = url.render_as_string(hide_password=False)
        self._api_port = free_port()
        self._api = f"http://127.0.0.1:{self._api_port}"
        for name in (SERVER, KEEPER):
            port = self._line(name, DATABASE, socket, http=False)
            seen = url.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
            where = (
                "--deployment",
                str(self._file),
                "--keystore",
                self._key("operator"),
                "--rpc-url",
                self._to_chain(name),
                "--folder",
                str(self.folder / "server"),
                "--database-url",
                seen,
            )
            own = ("serve", "--port", str(self._api_port), "--no-keeper") if name == SERVER else ("keeper",)
            self._party(name, *own, *where)
            if name == SERVER:
                self.wait("the server", lambda: ApiClient(self._api))
        self.wait("the chain in the log", lambda: ApiClient(self._api).get("/log/size")["size"] > 1)

    def _open_run(self) -> str:
        text = (self.folder / "text.txt",)
        return open_run(self._api, self.key("creator").key.hex(), self._config, self._rules, RunText(text))

    def _open_verifiers(self, run: str) -> None:
        ports = {name: free_port() for name in VERIFIERS}
        mirrors = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.place = Place(self._deployment, self._file, run, self._rpc, self._api, mirrors)
        for name in VERIFIERS:
            public = self.relay.listen(Listening(name, ("127.0.0.1", ports[name])))
            self._party(
                name,
                "verifier",
                "run",
                "--port",
                str(ports[name]),
                "--public-url",
                f"http://127.0.0.1:{public}",
                *self._joins(name, run),
            )

    def _open_nodes(self, run: str) -> None:
        for name in self.nodes:
            payout = self.key(f"{name}'s wallet").address
            self._party(name, "node", "--payout", payout, *self._joins(name, run))

    def _joins(self, name: str, run: str) -> tuple[str, ...]:
        api = self._line(name, SERVER, ("127.0.0.1", self._api_port))
        return (
            "--keystore",
            self._key(name),
            "--run",
            run,
            "--api",
            f"http://127.0.0.1:{api}",
            "--rpc-url",
            self._to_chain(name),
            "--deployment",
            str(self._file),
            "--folder",
            str(self.folder / name),
            "--data",
            str(self.folder / "text.txt"),
            *self._style,
        )

    # -- small parts --------------------------------------------------------------------------------------------------

    def _party(self, name: str, *command: str) -> None:
        clock = self.folder / f"{name}.clock"
        clocks.turn(clock, 0)
        environment = {PASSPHRASE_VARIABLE: PASSPHRASE, "OMP_NUM_THREADS": "1", **clocks.environment(clock)}
        found = clock if clocks.library() else None
        self.parties[name] = Party(name, command, self.folder / f"{name}.log", environment, found)
        self.parties[name].start()

    def _to_chain(self, name: str) -> str:
        return f"http://127.0.0.1:{self._line(name, RPC, ('127.0.0.1', self._rpc_port))}"

    def _line(self, client: str, server: str, target: Any, http: bool = True) -> int:
        return self.relay.listen(Listening(server, target, client, http))

    def _keystore(self, name: str) -> Path:
        return self.folder / "keys" / f"{name}.json"

    def _key(self, name: str) -> str:
        return str(self._keystore(name))


def lines_of(nodes: int) -> tuple[list[Line], list[str]]:
    """All lines of a network with so many nodes, and the names of its processes."""
    joiners = (*VERIFIERS, *NODES[:nodes])
    lines = [Line(name, DATABASE, http=False) for name in (SERVER, KEEPER)]
    lines += [Line(name, RPC) for name in (SERVER, KEEPER, *joiners)] + [Line(name, SERVER) for name in joiners]
    lines += [Line(name, verifier) for verifier in VERIFIERS for name in joiners if name != verifier]
    return lines, [SERVER, KEEPER, *joiners]


def _tried(ready: Callable[[], T]) -> T | None:
    """None where it raises: whoever is asked may not be there yet."""
    try:
        return ready()
    except Exception:
        return None
