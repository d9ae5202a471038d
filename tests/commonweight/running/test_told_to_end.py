"""Server, keeper, node and verifier end when they are told to, with a line, and leave nobody behind."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from tests.commonweight.demo.proc import gone
from tests.commonweight.running.yard import LONG, Yard, children, new_port, yard_in
from tests.contracts.evm.weather import GustyNode, serving
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.integration
OFTEN = [(name, signal.SIGHUP) for name in ("chain", "node")]
SELDOM = [
    (name, number)
    for name in LONG
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    if (name, number) not in OFTEN
]


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with yard_in(tmp_path_factory.mktemp("yard")) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "number"),
    [*OFTEN, *(pytest.param(*case, marks=pytest.mark.longest) for case in SELDOM)],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else value,
)
def test_a_signal_ends_each_command_with_a_line(yard: Yard, name: str, number: signal.Signals) -> None:
    port = new_port()
    with yard.started(yard.command(name, port), environment={"HOME": str(yard.folder)}) as started:
        yard.ready(name, port, started)
        started.process.send_signal(number)
        assert started.ended() == 0, started.said()
        assert started.said().splitlines()[-1] == f"ended by {number.name}"
        assert started.err.read_text() == ""


@pytest.mark.parametrize("name", ["serve", "keeper", "verifier"])
def test_a_chain_node_that_is_silent_keeps_nobody(yard: Yard, name: str) -> None:
    """Before, a keeper waited for two minutes, and a server for as long as a byte came now and then."""
    silent, over, met, port = threading.Event(), threading.Event(), threading.Event(), new_port()
    chain = Web3(Web3.HTTPProvider(yard.stage.rpc)).provider

    def weather(_request: Mapping[str, Any]) -> None:
        if silent.is_set():
            met.set()
            over.wait()

    node = GustyNode(lambda request: chain.make_request(request["method"], request["params"]), weather)
    with serving(node) as url:
        words = [url if word == yard.stage.rpc else word for word in yard.command(name, port)]
        with yard.started(words, environment={"HOME": str(yard.folder)}) as started:
            yard.ready(name, port, started)
            until(lambda: node.asked)
            silent.set()
            met.wait(PATIENCE_SECONDS)
            started.process.send_signal(signal.SIGTERM)
            assert started.process.wait(60) == 0, started.said()  # a silent node has thirty seconds for each request
            assert started.said().splitlines()[-1] == "ended by SIGTERM"
            assert started.err.read_text() == ""
        over.set()


@pytest.mark.parametrize("name", [name for name in LONG if name != "verifier"])
def test_to_scripts_each_command_speaks_in_objects(yard: Yard, name: str) -> None:
    """Its news and its log, to the last line."""
    port = new_port()
    with yard.started(yard.command(name, port, "--json"), environment={"HOME": str(yard.folder)}) as started:
        yard.ready(name, port, started)
        started.process.send_signal(signal.SIGHUP)
        assert started.ended() == 0, started.said()
        news = [json.loads(line) for line in started.out.read_text().splitlines()]
        assert news[-1] == {"event": "ended", "detail": "SIGHUP"}
        assert all("event" in one for one in news)
        assert all("text" in json.loads(line) for line in started.err.read_text().splitlines())
        if name == "chain":
            assert news[0]["url"] == f"http://127.0.0.1:{port}"


def test_workers_end_with_their_verifier_and_say_nothing(yard: Yard) -> None:
    with yard.started(yard.command("verifier", new_port(), "--workers", "2", "--json")) as started:
        workers = with_workers(started.process.pid, 2)

        started.process.send_signal(signal.SIGHUP)
        assert started.ended() == 0, started.said()
        assert [json.loads(line) for line in started.out.read_text().splitlines()][-1] == {
            "event": "ended",
            "detail": "SIGHUP",
        }
        assert "worker" not in started.said()
        assert all(gone(pid) for pid in workers)


def test_a_killed_verifier_leaves_no_worker(yard: Yard) -> None:
    with yard.started(yard.command("verifier", new_port())) as started:
        workers = with_workers(started.process.pid, 1)
        started.process.kill()
        until(lambda: all(gone(pid) for pid in workers))


def test_ctrl_c_at_a_terminal_reaches_no_worker(yard: Yard) -> None:
    """It goes to the terminal's whole foreground; a worker that took it would say so in Celery's words, and hang on."""
    with yard.started(yard.command("verifier", new_port())) as started:
        (worker,) = with_workers(started.process.pid, 1)
        assert session(worker) != session(started.process.pid)


def with_workers(pid: int, count: int) -> list[int]:
    until(lambda: len(workers_of(pid)) == count)
    return workers_of(pid)


def workers_of(pid: int) -> list[int]:
    """Those that run Celery by now."""
    return [child for child in children(pid) if b"celery" in (Path(f"/proc/{child}/cmdline").read_bytes())]


def session(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[3])
