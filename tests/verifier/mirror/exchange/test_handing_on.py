"""Looks at other mirrors over loopback: all ends up everywhere with the server down, and nobody bad stops it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from blake3 import blake3
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.files.whole_file import DiskFull
from contracts.ids import as_address
from contracts.mirrors.peer import Limits, Peer
from contracts.mirrors.tickets import Tickets
from contracts.mirrors.urls import NOWHERE
from contracts.tlog.mirror import origin_hash
from tests.holds import Threat, holds
from tests.trainer.world import deployment
from tests.verifier.mirror import hostile
from tests.verifier.mirror.world import (
    DOMAIN,
    LOG,
    ORIGIN,
    READER,
    VERIFIERS,
    Operator,
    address,
    beat,
    blob,
    has,
    make_mirror,
    mirror_on,
    raw_server,
    serving,
    ticket,
)
from tests.waiting import until
from verifier.mirror.exchange import pulling
from verifier.mirror.exchange.fetching import Fetcher
from verifier.mirror.exchange.handing_on import Answer, HandingOn, Look, MirrorAnswer, ServerDoor
from verifier.mirror.exchange.pulling import Puller
from verifier.mirror.http.routes import Mirror
from verifier.mirror.http.uploads import add_checkpoint, add_entries

pytestmark = pytest.mark.integration

QUICK, PATIENT = Limits(idle=1.0, call=2.0), Limits(idle=10.0, call=20.0)
NAMES = [str(key.address) for key in VERIFIERS]
THREE = NAMES[:3]
CLIENT = httpx.Client(verify=False, headers={"Connection": "close"})
MODEL = deployment()
DATA = bytes(range(256)) * 100
NAME = blake3(DATA).hexdigest()
PREFIX = f"/{origin_hash(ORIGIN)}"
assert DOMAIN is READER.domain


@dataclass
class Party:
    """A verifier: its mirror, and its looks at the others."""

    name: str
    mirror: Mirror
    looks: HandingOn
    url: str = ""


def bring(party: Party) -> None:
    """The node brings DATA to a verifier."""
    CLIENT.put(
        f"{party.url}/blobs/{NAME}", content=DATA, headers=ticket(NAME, as_address(party.name))
    ).raise_for_status()


@dataclass
class Town:
    """Three verifiers and a server; whoever is not `up` does not answer."""

    folder: Path
    stack: ExitStack
    limits: Limits = PATIENT
    seconds: float = 20.0
    """The longest that a look takes."""
    grace: float = 3.0
    parties: list[Party] = field(default_factory=list)

    def party(
        self,
        server: str,
        admit: Any = lambda size: None,
        welcome: Any = lambda claim: True,
        model: Deployment | None = None,
    ) -> Party:
        number = len(self.parties)
        mirror = make_mirror(self.folder / str(number), welcome, admit=admit, seed=20 + number, own=VERIFIERS[number])
        door = ServerDoor(Peer(server, True, self.limits), "/log", "/messages", "/blobs/", model=model)
        puller = Puller(READER, mirror.messages, mirror.book, mirror.copy)
        fetcher = Fetcher(mirror.blobs, mirror.blobs.missing, 10**6, self.limits.idle, self.grace)
        looks = HandingOn(
            NAMES[number],
            door,
            mirror.book,
            mirror.copy,
            mirror.messages,
            puller,
            fetcher,
            mirror.blobs,
            Tickets(VERIFIERS[number], DOMAIN),
            self.seconds,
            self.limits,
        )
        party = Party(NAMES[number], mirror, looks)
        self.parties.append(party)
        self.stack.callback(looks.close)
        party.url = self.stack.enter_context(mirror_on(mirror))
        return party

    def introduce(self) -> None:
        """Everybody knows where everybody is."""
        for teller, key in zip(self.parties, VERIFIERS, strict=False):
            for party in self.parties:
                party.mirror.book.take(READER.read(address(teller.url, 1, key)))

    def three(self, server: str) -> tuple[Party, Party, Party]:
        one, two, three = (self.party(server) for _ in range(3))
        self.introduce()
        return one, two, three


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with ExitStack() as stack:
        yield Town(tmp_path, stack)


@pytest.fixture
def nobody() -> str:
    """An address at which nobody answers."""
    with raw_server(hostile.hangs) as url:
        return url


def know(party: Party, name: str, url: str, sequence: int = 1) -> None:
    key = VERIFIERS[NAMES.index(name)]
    party.mirror.book.take(READER.read(address(url, sequence, key)))


def outcomes(look: Look) -> dict[str, MirrorAnswer]:
    return {answer.verifier: answer.outcome for answer in look.mirrors}


def fill(mirror: Mirror, operator: Operator) -> None:
    add_checkpoint(mirror.copy, operator.add_checkpoint(mirror.copy.signed))
    add_entries(mirror.copy, io.BytesIO(operator.upload(mirror.copy.size)).read)


@holds(
    "With the server down every message and blob reaches every mirror",
    by="verifier/mirror/exchange/handing_on.py:HandingOn",
    against=Threat.SILENT_SERVER,
)
def test_with_the_server_down_all_ends_up_everywhere(town: Town, nobody: str) -> None:
    """Log, messages, heartbeats, addresses and a blob, each brought to another mirror."""
    one, two, three = town.three(nobody)
    operator = Operator().grow(700)
    fill(one.mirror, operator)
    CLIENT.post(f"{two.url}/messages", content=has(1)).raise_for_status()
    CLIENT.post(f"{three.url}/messages", content=beat(4)).raise_for_status()
    CLIENT.post(f"{three.url}/messages", content=address("http://127.0.0.1:9", 2, VERIFIERS[0]))
    for party in (one, two, three):
        party.mirror.blobs.announce(blob(DATA))
    bring(three)
    looks = [party.looks.look() for party in (two, three, one)]
    for party in (one, two, three):
        assert party.mirror.copy.signed == 700
        assert {held.signed.text.encode() for held in party.mirror.messages.held()} == {has(1), beat(4)}
        assert party.mirror.blobs.read(NAME) == DATA
    assert two.mirror.book.reachable()[NAMES[0]] == "http://127.0.0.1:9"
    assert set(outcomes(looks[0]).values()) == {MirrorAnswer.ANSWERED}
    assert looks[0].log.outcome is MirrorAnswer.UNREACHABLE
    assert not looks[0].counts(THREE, 2, chain=True), "without the log no time passes"


def test_a_full_disk_is_named_and_the_blob_comes_later(
    town: Town, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, _ = town.three(nobody)
    for party in (one, two):
        party.mirror.blobs.announce(blob(DATA))
    bring(two)
    with monkeypatch.context() as full:
        full.setattr(one.mirror.blobs, "receive", refuse)
        look = one.looks.look()
    assert (look.full, outcomes(look)[NAMES[1]]) == ("no room is left for blobs", MirrorAnswer.ANSWERED)
    until(lambda: one.looks.look().full == "" and one.mirror.blobs.has(NAME))


def refuse(_: str) -> None:
    raise DiskFull("no room is left for blobs")


def test_the_server_gets_what_the_log_lacks(town: Town) -> None:
    operator = Operator().grow(300)
    taken: list[bytes] = []
    with serving(operator.app(taken)) as server:
        one, *_ = town.three(server)
        for number in (1, 2):
            one.mirror.messages.take(has(number))
        one.mirror.messages.take(beat(1))
        first = one.looks.look()
        until(lambda: len(taken) >= 3)
        one.looks.look()
    own = one.mirror.book.newest()[NAMES[0]].text.encode()
    assert taken == [own, has(1), has(2)], "heartbeats stay with mirrors, and nothing is sent at each look"
    assert one.mirror.copy.signed == 300
    assert first.log == Answer("", server, MirrorAnswer.ANSWERED, "", 300)
    assert first.counts(THREE, 2, chain=True)
    assert not first.counts(THREE, 2, chain=False)


def test_a_server_of_another_model_is_named(town: Town) -> None:
    """Whatever log it shows; and it is asked again once it is the right one's turn."""
    operator, served = Operator(), [{"deployment": asdict(replace(MODEL, chain_id=99))}]
    operator.grow(3)
    app = operator.app()
    app.routes.append(Route("/v1/network", lambda _: JSONResponse(served[-1])))
    with serving(app) as server:
        party = town.party(server, model=MODEL)
        answer = party.looks.look().log
        assert (answer.outcome, party.mirror.copy.signed) == (MirrorAnswer.MISBEHAVED, 0)
        assert "serves another model" in answer.detail
        served.append({"deployment": asdict(MODEL)})
        assert party.looks.look().log.outcome is MirrorAnswer.ANSWERED


def test_the_log_grows_with_each_look(town: Town) -> None:
    operator = Operator()
    with serving(operator.app()) as server:
        party = town.party(server)
        for step in (1, 254, 2, 600):
            operator.grow(step)
            party.looks.look()
            assert party.mirror.copy.signed == operator.tree.size
    assert party.mirror.copy.entries(0, 857) == operator.entries


def test_hostile_mirrors_stop_nobody(town: Town, nobody: str) -> None:
    """All of them at once, and one that is honest: its message and blob come, and each of the others is named."""
    town.limits = QUICK
    one, two, _ = town.three(nobody)
    two.mirror.messages.take(has(1))
    for party in (one, two):
        party.mirror.blobs.announce(blob(DATA))
    bring(two)
    bad = dict(zip(NAMES[2:], hostile.ALL, strict=False))
    for name, answer in bad.items():
        know(one, name, town.stack.enter_context(raw_server(answer)), 2)
    looks = []
    while not one.mirror.blobs.has(NAME):
        looks.append(outcomes(one.looks.look()))
        assert len(looks) < 4
    assert looks[0][NAMES[1]] is MirrorAnswer.ANSWERED
    assert one.mirror.messages.has(two.mirror.messages.held()[0].signed.digest)
    for name, answer in bad.items():
        assert looks[0][name] in (MirrorAnswer.MISBEHAVED, MirrorAnswer.UNREACHABLE), answer


def test_other_bytes_for_a_blob_are_named_and_left(town: Town, nobody: str) -> None:
    """A mirror that is right in all but the bytes of one blob, asked first; the next one has them."""
    one, two, three = town.three(nobody)
    for party in (one, two, three):
        party.mirror.blobs.announce(blob(DATA))
    for party in (two, three):
        bring(party)
    (town.folder / "1" / "blobs" / "held" / NAME).write_bytes(b"x" + DATA[1:])
    found = [one.looks.look()]
    while MirrorAnswer.MISBEHAVED not in outcomes(found[-1]).values():
        (town.folder / "0" / "blobs" / "held" / NAME).unlink()
        found.append(one.looks.look())
        assert len(found) < 4, "another source is asked first each time"
    assert found[-1].fetched == (NAME,)
    assert outcomes(found[-1])[NAMES[1]] is MirrorAnswer.MISBEHAVED


def test_a_blob_that_nobody_announced_is_not_fetched(town: Town, nobody: str) -> None:
    one, two, _ = town.three(nobody)
    two.mirror.blobs.announce(blob(DATA))
    bring(two)
    one.looks.look()
    assert not one.mirror.blobs.has(NAME)


def test_what_is_not_welcome_yet_is_tried_again(town: Town, nobody: str) -> None:
    ready: list[bool] = []
    one = town.party(nobody, welcome=lambda claim: bool(ready))
    two = town.party(nobody)
    town.introduce()
    two.mirror.messages.take(has(1))
    assert outcomes(one.looks.look())[NAMES[1]] is MirrorAnswer.ANSWERED
    assert one.mirror.messages.held() == ()
    ready.append(True)
    one.looks.look()
    assert [held.signed.text.encode() for held in one.mirror.messages.held()] == [has(1)]


def test_a_mirror_that_began_anew_is_read_from_the_start(town: Town, nobody: str) -> None:
    one, two, _ = town.three(nobody)
    for number in range(3):
        two.mirror.messages.take(has(number))
    one.looks.look()
    fresh = make_mirror(town.folder / "fresh")
    fresh.messages.take(has(9))
    with mirror_on(fresh) as url:
        know(one, NAMES[1], url, 2)
        one.looks.look()
    assert has(9) in {held.signed.text.encode() for held in one.mirror.messages.held()}


def test_more_than_one_look_can_take_is_partial(town: Town, nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.mirror.store.messages.PAGE", 2)
    monkeypatch.setattr(pulling, "PAGES", 2)
    one, two, _ = town.three(nobody)
    for number in range(6):
        two.mirror.messages.take(has(number))
    looks = [one.looks.look() for _ in range(2)]
    assert [outcomes(look)[NAMES[1]] for look in looks] == [MirrorAnswer.PARTIAL, MirrorAnswer.ANSWERED]
    assert len(one.mirror.messages.held()) == 6


def _shows(messages: Any) -> Starlette:
    async def page(request: Request) -> Response:
        return Response(json.dumps({"last": 99, "messages": messages, "store": "s"}, sort_keys=True))

    async def mirrors(request: Request) -> Response:
        return Response(b'{"evidence":[],"mirrors":[]}')

    return Starlette(routes=[Route("/messages", page), Route("/mirrors", mirrors)])


@pytest.mark.parametrize(
    "messages",
    [
        {},
        [1],
        [{"sequence": 1}],
        [{"body": {}, "sequence": 0}],
        [{"body": {}, "sequence": 100}],
        [{"body": {}, "sequence": 2}, {"body": {}, "sequence": 1}],
        [{"body": {}, "sequence": number} for number in range(1, 66)],
        [{"body": {"kind": "has"}, "sequence": number} for number in range(1, 20)],
    ],
    ids=["no list", "no message", "no body", "none", "beyond", "order", "too many", "broken"],
)
def test_messages_in_another_form_are_misbehaviour(town: Town, nobody: str, messages: Any) -> None:
    one = town.party(nobody)
    with serving(_shows(messages)) as url:
        know(one, NAMES[1], url)
        look = one.looks.look()
    assert outcomes(look)[NAMES[1]] is MirrorAnswer.MISBEHAVED
    assert one.mirror.messages.held() == ()


@pytest.mark.parametrize("size", [700, 300, 900], ids=["equal", "smaller", "larger"])
def test_two_logs_are_found_and_shown(town: Town, nobody: str, size: int) -> None:
    """The operator shows another log to the second verifier: the first one's looks count no more, and it has proof."""
    one, two, three = town.three(nobody)
    fill(one.mirror, Operator().grow(700))
    fill(two.mirror, Operator().grow(100).grow(size - 100, "another"))
    look = one.looks.look()
    assert outcomes(look)[NAMES[1]] is MirrorAnswer.CONTRADICTS
    assert not Look(Answer("", "", MirrorAnswer.ANSWERED), look.mirrors).counts(THREE, 2, chain=True)
    (found,) = one.mirror.copy.evidence.all()
    found.check(LOG)
    assert one.mirror.copy.signed == 700
    three.looks.look()
    (handed,) = three.mirror.copy.evidence.all()
    handed.check(LOG)
    assert CLIENT.get(f"{three.url}/mirrors").json()["evidence"] == [handed.body()]


def test_a_head_whose_entries_nobody_shows_is_given_up(town: Town) -> None:
    """The operator gives one mirror a head of another log and hides the rest: it goes on with what others hold."""
    operator, other = Operator().grow(300), Operator().grow(700, "another")
    with serving(operator.app()) as server:
        one, *_ = town.three(server)
        add_checkpoint(one.mirror.copy, other.add_checkpoint(0, 400))
        one.mirror.copy.keep(0, other.entries[:256])
        one.mirror.copy.advance()
        operator.grow(200)
        assert one.looks.look().log.outcome is MirrorAnswer.ANSWERED
    assert one.mirror.copy.signed == 500
    assert one.mirror.copy.entries(0, 500) == operator.entries
    (found,) = one.mirror.copy.evidence.all()
    found.check(LOG)


def test_a_tile_that_is_not_the_logs_is_misbehaviour(town: Town) -> None:
    operator = Operator().grow(300)
    app = operator.app()
    operator.entries[5] = b"another"
    with serving(app) as server:
        party = town.party(server)
        assert party.looks.look().log.outcome is MirrorAnswer.MISBEHAVED
    assert party.mirror.copy.signed == 0


def test_a_log_that_does_not_hold_is_no_answer(town: Town) -> None:
    def admit(size: int) -> None:
        raise CommonweightError("entry 5 does not follow")

    with serving(Operator().grow(10).app()) as server:
        party = town.party(server, admit)
        look = party.looks.look()
    assert (look.log.outcome, look.log.detail) == (MirrorAnswer.PARTIAL, "commonweight-error: entry 5 does not follow")
    assert party.mirror.copy.head() is None


def test_an_unreachable_verifier_puts_its_own_words_to_all(town: Town, nobody: str) -> None:
    """Its words and bytes, and its own alone; a mirror that fails keeps nothing from the others."""
    one, two, three = town.three(nobody)
    know(one, NAMES[0], NOWHERE, 2)
    one.mirror.messages.take(has(1))
    one.mirror.messages.take(has(2, VERIFIERS[1]))
    for party in (one, two):
        party.mirror.blobs.announce(blob(DATA))
    with one.mirror.blobs.receive(NAME) as receiving:
        receiving.write(DATA)
        receiving.finish()
    one.looks.give_blob(NAME)
    with raw_server(hostile.fails) as url:
        know(one, NAMES[2], url, 2)
        one.looks.look()
        until(lambda: two.mirror.messages.held() and two.mirror.blobs.has(NAME))
    assert [held.signed.text.encode() for held in two.mirror.messages.held()] == [has(1)]
    assert two.mirror.book.newest()[NAMES[0]].url == NOWHERE
    assert three.mirror.messages.held() == ()


def test_who_can_be_reached_puts_its_address_alone(town: Town, nobody: str) -> None:
    one, two, _ = town.three(nobody)
    one.mirror.messages.take(has(1))
    know(one, NAMES[0], "http://127.0.0.1:9", 2)
    one.looks.look()
    until(lambda: two.mirror.book.newest()[NAMES[0]].url == "http://127.0.0.1:9")
    assert two.mirror.messages.held() == ()


ANSWERED, CONTRADICTS, PARTIAL = (
    [Answer(name, "", outcome) for name in NAMES]
    for outcome in (MirrorAnswer.ANSWERED, MirrorAnswer.CONTRADICTS, MirrorAnswer.PARTIAL)
)


@pytest.mark.parametrize(
    ("mirrors", "counts"),
    [
        (ANSWERED[1:], True),
        (ANSWERED[1:2], True),
        ([ANSWERED[1], PARTIAL[2]], True),
        ([], False),
        (PARTIAL[1:], False),
        ([ANSWERED[1], CONTRADICTS[2]], False),
        ([Answer("0xstranger", "", MirrorAnswer.ANSWERED)], False),
    ],
)
def test_a_look_counts_when_enough_answered(mirrors: list[Answer], counts: bool) -> None:
    """Three verifiers, k = 2: one other has to answer (n - k)."""
    assert Look(Answer("", "", MirrorAnswer.ANSWERED), tuple(mirrors)).counts(THREE, 2, chain=True) is counts


@pytest.mark.parametrize("log", list(MirrorAnswer))
@pytest.mark.parametrize(
    ("mirrors", "reached"),
    [
        (ANSWERED[1:], True),
        (PARTIAL[1:2], True),
        (CONTRADICTS[1:2], True),
        ([], False),
        ([Answer(NAMES[1], "", MirrorAnswer.UNREACHABLE), Answer(NAMES[2], "", MirrorAnswer.MISBEHAVED)], False),
        ([Answer("0xstranger", "", MirrorAnswer.ANSWERED)], False),
    ],
)
def test_a_look_reaches_who_could_be_asked_for_bytes(mirrors: list[Answer], reached: bool, log: MirrorAnswer) -> None:
    """Whatever the server said, and whatever heads were shown."""
    assert Look(Answer("", "", log), tuple(mirrors)).reached(THREE, 2) is reached


def test_a_look_that_needs_no_other_must_reach_the_server() -> None:
    """n = k = 1: the server has them, too."""
    assert Look(Answer("", "", MirrorAnswer.ANSWERED), ()).reached(THREE[:1], 1)
    assert not Look(Answer("", "", MirrorAnswer.UNREACHABLE), ()).reached(THREE[:1], 1)


@pytest.mark.parametrize(
    ("left", "answered", "counts"),
    [(5, 2, True), (5, 1, False), (4, 1, True), (3, 1, True), (3, 0, False), (2, 1, True), (2, 0, False), (1, 0, True)],
)
def test_who_was_removed_is_not_waited_for(left: int, answered: int, counts: bool) -> None:
    """Five verifiers, k = 3: n - k others of those who are left, and never nobody while there is one."""
    five = [f"0x{number}" for number in range(5)]
    removed = [Answer(name, "", MirrorAnswer.ANSWERED) for name in five[left:]]
    mirrors = [Answer(name, "", MirrorAnswer.ANSWERED) for name in five[1 : 1 + answered]]
    look = Look(Answer("", "", MirrorAnswer.ANSWERED), (*mirrors, *removed))
    assert look.counts(five, 3, chain=True, admitted=[*five[:left], "0xnew"]) is counts
