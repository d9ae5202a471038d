"""Signatures on their way: to the server again and again, from the mirrors, and to the chain in turn."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.files.whole_file import DiskFull
from contracts.ids import to_hex
from contracts.messages.for_contracts import EpochRoot, to_json
from contracts.protocol.judge.rules import duties
from tests.verifier.duties.test_doing import closed
from tests.verifier.mirror.world import serving
from tests.verifier.town import Party, make_party
from verifier.duties import epochs
from verifier.quorum import bringing
from verifier.quorum.store import DueMessage, QuorumStore

pytestmark = pytest.mark.integration


def signed(folder: Path, index: int = 0) -> Party:
    """A verifier that has signed the root of an epoch."""
    party = make_party(folder / f"verifier {index}", closed(), index)
    for _ in range(3):
        epochs.sign(party.world, party.due(duties.SignEpoch), counts=lambda _: True)
    assert len(party.world.quorum.all()) == 1
    return party


def test_a_message_that_the_server_drops_is_brought_again(tmp_path: Path) -> None:
    party = signed(tmp_path)
    bringer = party.bringer()
    for _ in range(3):
        bringer.step()
    ((path, body),) = party.server.taken
    (due,) = party.world.quorum.all()
    assert path == "/epochs/1/signatures"
    assert body.to_json() == {
        "message": to_json(due.message),
        "signature": to_hex(due.signatures[party.world.address]),
        "signer": party.world.address,
    }
    party.clock[0] += bringing.AGAIN
    bringer.step()
    assert len(party.server.taken) == 2


def test_a_server_that_refuses_stops_nothing_and_is_asked_again(tmp_path: Path) -> None:
    party = signed(tmp_path)
    bringer, party.server.up = party.bringer(), False
    bringer.step()
    assert any("down" in said.detail for said in party.said)
    party.server.up = True
    party.clock[0] += bringing.AGAIN
    bringer.step()
    assert len(party.server.taken) == 1


def test_signatures_of_others_come_from_their_mirrors(tmp_path: Path) -> None:
    party, other = signed(tmp_path), signed(tmp_path, 1)

    async def show(_: Request) -> Response:
        return Response(other.world.quorum.show())

    with serving(Starlette(routes=[Route("/signatures", show)])) as url:
        party.bringer({other.world.address: url, "0x" + "1" * 40: "http://127.0.0.1:9"}).step()
    (found,) = party.world.quorum.all()
    assert set(found.signatures) == {party.world.address, other.world.address}


@pytest.mark.parametrize("place", [0, 2])
def test_each_verifier_brings_it_to_the_chain_in_its_turn(tmp_path: Path, place: int) -> None:
    party = signed(tmp_path)
    bringer, party.contracts.place = party.bringer(patience=600), place
    bringer.step()
    party.clock[0] += 600 * (1 + place) - 1
    bringer.step()
    assert party.contracts.brought == []
    party.clock[0] += 1
    bringer.step()
    bringer.step()
    (brought,) = party.contracts.brought
    assert isinstance(brought.message, EpochRoot)
    assert any(said.event == "brought to the chain" for said in party.said)
    party.clock[0] += bringing.AGAIN
    bringer.step()
    assert len(party.contracts.brought) == 2, "it may have to be made final, or the chain had not taken it"


def test_a_chain_that_fails_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    party = signed(tmp_path)

    def fails(_: object) -> str:
        raise OSError("no coins")

    monkeypatch.setattr(party.contracts, "bring", fails)
    bringer = party.bringer()
    bringer.step()
    party.clock[0] += 10_000
    bringer.step()
    assert any("no coins" in said.detail for said in party.said)


def test_nothing_is_forgotten_while_the_log_is_not_read_yet(tmp_path: Path) -> None:
    """After a start, or while the chain node does not answer, the machine knows of no epoch."""
    party = signed(tmp_path)
    bringer = party.bringer()
    bringer.due = lambda: None
    bringer.step()
    assert len(party.world.quorum.all()) == 1
    bringer.due = set
    bringer.step()
    assert party.world.quorum.all() == []


def test_it_wakes_when_something_is_signed(tmp_path: Path) -> None:
    party = signed(tmp_path)
    bringer, stop = party.bringer(), threading.Event()
    thread = threading.Thread(target=bringer.run, args=(stop, 3_600.0), daemon=True)
    thread.start()
    for _ in range(500):
        if party.server.taken:
            break
        threading.Event().wait(0.01)
    stop.set()
    party.world.quorum.news.set()
    thread.join(timeout=20)
    assert party.server.taken
    assert not thread.is_alive()


def test_the_store_of_a_mirror_is_what_it_shows(tmp_path: Path) -> None:
    party = signed(tmp_path)
    copy = QuorumStore(tmp_path / "copy.db", party.world.epoch_domain)
    message = party.world.quorum.all()[0].message
    copy.keep("epoch/1", message, party.world.address, party.world.quorum.all()[0].signatures[party.world.address])
    assert copy.show() == party.world.quorum.show()


def test_a_disk_that_is_full_for_a_while_ends_no_bringer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    party, stop, tries = signed(tmp_path), threading.Event(), list[bool]()
    bringer, kept = party.bringer(), party.world.quorum.all

    def all_of_them() -> list[DueMessage]:
        tries.append(True)
        if len(tries) < 3:
            raise DiskFull("no room is left for signatures.db")
        stop.set()
        return kept()

    monkeypatch.setattr(party.world.quorum, "all", all_of_them)
    bringer.run(stop, interval=0.01)
    assert [path for path, _ in party.server.taken] == ["/epochs/1/signatures"]
    assert party.server.closed
