"""A light node over loopback, with real mirrors: it is paid whatever the server hides, and whenever it is killed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from contracts.ids import NO_PROOF, RunId, to_hex
from contracts.messages import for_log as messages
from contracts.mirrors.peer import Limits
from contracts.protocol.judge.facts import Awaited, What
from contracts.protocol.judge.state import ProofState, Stage
from tests.holds import Threat, holds
from tests.trainer.world import (
    NODE,
    NODES,
    PAYOUT,
    Council,
    House,
    Server,
    Village,
    address_of,
    deployment,
    kind_of,
    write_text,
)
from tests.verifier.mirror.world import mirror_on, serving
from tests.waiting import PATIENCE_SECONDS, stacks
from trainer import conduct
from trainer.exchange import handing, network
from trainer.node import boundaries
from trainer.node.node import LightNode
from trainer.node.settings import NodeProgress, NodeSettings
from trainer.node.work import WorkAbandoned
from trainer.steps import trajectory
from verifier.mirror.store import database

pytestmark = pytest.mark.integration

LIMITS = Limits(idle=3.0, call=6.0)


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SYNCHRONOUS", "OFF")


class Place:
    """Village, server and three houses, on loopback; a node can be begun and killed."""

    def __init__(self, folder: Path, stack: ExitStack, rounds: int = 1, **terms: Any) -> None:
        self.folder, self.stack = folder, stack
        self.text = write_text(folder)
        self.village = Village(self.text, rounds, **terms)
        self.server = Server(self.village)
        self.houses = [House.of(self.village, number, folder / f"house {number}") for number in range(3)]
        for house in self.houses:
            house.url = stack.enter_context(mirror_on(house.mirror))
        for house in self.houses:
            for other in self.houses[1:]:
                house.know(other)
        self.server.mirrors = [address_of(house) for house in self.houses[1:]]
        self.url = stack.enter_context(serving(self.server.app()))
        self.council = Council(self.village, self.server, self.houses)
        self.progress: list[NodeProgress] = []

    def settings(self, **changes: object) -> NodeSettings:
        first = (f"{self.houses[0].name} {self.houses[0].url}",)
        given = {
            "api_url": self.url,
            "deployment": deployment(first),
            "rpc_url": "",
            "run": to_hex(self.village.run),
            "key": NODE.key.hex(),
            "payout": PAYOUT,
            "folder": self.folder / "node",
            "data": (self.text,),
            "look_seconds": 0.05,
        }
        return NodeSettings(**(given | changes))  # type: ignore[arg-type]

    @contextmanager
    def node(self, leave: threading.Event | None = None, **changes: object) -> Iterator[threading.Thread]:
        """A node in a thread, killed at the end."""
        stop, failed = threading.Event(), list[BaseException]()
        node = LightNode(self.settings(**changes), self.progress.append, LIMITS)

        def run() -> None:
            try:
                node.take_part(stop, leave)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield thread
        finally:
            stop.set()
            thread.join(timeout=30)
            if failed:  # the reason of whatever else went wrong here
                raise failed[0]
        assert not thread.is_alive()

    def until(self, done: Callable[[], object]) -> None:
        """The verifiers act until something is so."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < end, f"{self.progress[-8:]}\n{stacks()}"
            self.council.act()
            time.sleep(0.02)

    @property
    def proof(self) -> ProofState | None:
        """The node's proof of the last round."""
        proofs = [p for p in self.village.state.proofs.values() if p.commitment.node == NODE.address]
        return proofs[-1] if proofs else None

    def posted(self) -> bool:
        return self.proof is not None and self.proof.stage is Stage.POSTED

    def events(self, event: str) -> list[NodeProgress]:
        return [said for said in list(self.progress) if said.event == event]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def place(tmp_path: Path, stack: ExitStack) -> Place:
    return Place(tmp_path, stack)


def test_a_node_enrols_trains_commits_opens_and_is_posted(place: Place) -> None:
    with place.node():
        place.until(lambda: place.events("decided"))
    assert place.posted()
    assert place.council.replayed, "its states were fetched and read"
    assert [said.event for said in place.progress if said.event in ("enrolled", "committed", "decided")] == [
        "enrolled",
        "committed",
        "decided",
    ]
    assert place.village.round.listed[NODE.address].payout == PAYOUT


def test_states_that_the_disk_spoilt_are_made_again_not_opened(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An opening of them would make an honest node void."""
    monkeypatch.setattr(boundaries, "IN_MEMORY_BYTES", 0)
    with place.node():
        place.until(lambda: place.proof is not None)
        files = list((place.folder / "node" / "boundaries").rglob("boundary-*.safetensors"))
        assert files
        for file in files:
            file.write_bytes(file.read_bytes()[:-1] + b"\1")
        place.until(place.posted)
    assert [said.detail for said in place.events("lost")], "it was noticed"
    assert len(place.events("training")) == 2, "and done again"


def test_the_second_round_starts_from_merged_weights(tmp_path: Path, stack: ExitStack) -> None:
    """And from the node's own moments."""
    place = Place(tmp_path, stack, rounds=2)
    with place.node():
        place.until(lambda: len(place.events("committed")) == 2)
    first, second = (p.commitment for p in place.village.state.proofs.values())
    assert second.inner == first.inner_end
    assert second.theta == place.village.round.theta != first.theta


@holds(
    "A server that hides a node's messages, or is down, changes nothing",
    by="trainer/exchange/handing.py:Courier",
    against=Threat.SILENT_SERVER,
)
def test_a_server_that_hides_the_nodes_messages_changes_nothing(place: Place) -> None:
    place.server.hides, place.council.lends = True, NODES
    with place.node():
        place.until(place.posted)


def test_a_server_that_is_not_there_changes_nothing(place: Place) -> None:
    place.server.weather = lambda request: Response("no", 502)
    place.council.lends = NODES
    with place.node():
        place.until(place.posted)


def test_weather_ends_no_node(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "LONGEST_WAIT", 0.2)
    monkeypatch.setattr(network, "LONGEST_WAIT", 0.2)
    dice = random.Random(7)
    storms = [("<html>", 404), ("", 500), ('{"co', 409), ("", 429)]

    def weather(request: Request) -> Response | None:
        return Response(*dice.choice(storms)) if dice.random() < 0.6 else None

    place.server.weather = weather
    with place.node():
        place.until(place.posted)
    refused = [said.detail for said in place.events("refused")]
    assert all("not-announced" in detail for detail in refused), "these mirrors announce at their next look"


def test_a_server_with_another_log_is_named_and_the_node_paid(place: Place) -> None:
    place.server.shown = Village(place.text)
    place.server.shown.block(seconds=3)
    for _ in range(300):
        place.server.shown.block()
    place.council.lends = NODES
    with place.node():
        place.until(place.posted)
    assert any("two-logs: the server" in said.detail for said in place.events("warning"))


def test_nothing_is_done_on_a_log_that_one_verifier_alone_signed(place: Place) -> None:
    place.council.act()
    place.council.houses = place.houses[:1]
    place.village.block()
    place.houses[0].look()
    known = place.village.tree.size
    with place.node():
        place.until(lambda: place.server.messages)
        enrolled = list(place.server.messages)
        for _ in range(20):
            place.council.act()
            time.sleep(0.02)
        assert place.village.tree.size > known, "the round is open, and one verifier says so"
        assert {kind_of(text) for text in place.server.messages} == {"enrolment"}
        place.council.houses = place.houses
        place.until(place.posted)
    assert set(enrolled) == {text for text in place.server.messages if kind_of(text) == "enrolment"}


def test_a_restart_hands_out_the_same_commitment_and_opens_it(place: Place) -> None:
    place.server.hides, place.council.lends = True, ("enrolment",)
    with place.node():
        place.until(lambda: commitments(place))
    (before,) = commitments(place)
    place.progress.clear()
    place.server.hides = False
    with place.node():
        place.until(place.posted)
    assert commitments(place) == {before}
    assert place.events("training"), "its states were made again"
    assert not [said for said in place.events("warning") if "other-work" in said.detail]


@holds("A node that restarts commits once", by="trainer/exchange/keeping.py:KeptMessages", against=Threat.FALSE_WORK)
def test_a_restart_within_the_work_trains_again_and_commits_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trajectory.run_inner
    killed = threading.Event()

    def halting(*given: Any) -> Any:
        killed.set()
        raise WorkAbandoned("the power is cut")

    monkeypatch.setattr(conduct, "run_ranked", halting)
    with place.node():
        place.until(killed.is_set)
    monkeypatch.setattr(conduct, "run_ranked", whole)
    assert not commitments(place)
    with place.node():
        place.until(place.posted)
    assert len(commitments(place)) == 1


def test_a_canary_owns_up_and_is_not_paid(place: Place) -> None:
    with place.node(canary_ppm=1_000_000):
        place.until(lambda: place.events("decided"))
    assert place.events("canary")
    (decided,) = place.events("decided")
    assert decided.detail == "void: canary"


def test_a_cheat_commits_and_withholds(place: Place) -> None:
    with place.node(cheat="withheld"):
        place.until(lambda: place.proof is not None and place.proof.segments)
        for _ in range(30):
            place.council.act()
            time.sleep(0.02)
    assert place.proof is not None
    assert place.proof.opened <= {0, 1, place.village.config.segments}


def test_a_refusal_with_a_code_is_told(place: Place) -> None:
    with place.node(cheat="more-tokens"):
        place.until(lambda: place.events("refused"))
    assert "not-bound" in place.events("refused")[0].detail


def test_a_leaving_node_is_not_listed_and_ends_when_done(tmp_path: Path, stack: ExitStack) -> None:
    place, leave = Place(tmp_path, stack, rounds=2), threading.Event()
    with place.node(leave) as thread:
        place.until(lambda: place.events("committed"))
        leave.set()
        place.until(lambda: not thread.is_alive())
    assert [said.event for said in place.progress if said.event in ("left", "decided")] == ["left", "decided"]
    assert NODE.address not in place.village.round.listed or place.village.round.number == 1


def test_who_lapsed_comes_back(tmp_path: Path, stack: ExitStack) -> None:
    place = Place(tmp_path, stack)
    place.server.hides, place.council.lends = True, ("enrolment", "return")
    with place.node():
        place.until(lambda: commitments(place))
    since = place.village.round.awaits[awaited(place)].since
    for verifier in place.village.verifiers[:2]:
        root, nothing = place.village.root_at(since), b"\0" * 32
        lapse = messages.Lapse(place.village.run, 1, verifier.address, 0, nothing, NODE.address, 2**32 - 1, since, root)
        place.village.send(lapse, verifier)
    member = place.village.state.runs[RunId(to_hex(place.village.run))].nodes[NODE.address]
    assert member.away is not None
    with place.node():
        place.until(lambda: member.away is None)


def awaited(place: Place) -> Awaited:
    return Awaited(What.COMMITMENT, RunId(to_hex(place.village.run)), 1, NO_PROOF, NODE.address)


def commitments(place: Place) -> set[str]:
    """All that the node handed to anybody."""
    texts = [*place.server.messages, *place.village.leaves, *(t for house in place.houses for t in house.handed())]
    return {text for text in texts if kind_of(text) == "commitment" and NODE.address in text}
