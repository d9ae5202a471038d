"""Messages of a mirror: numbers that only rise, each message once, and what survives a kill at any line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from contracts.errors import BadSignature
from contracts.ids import Address, as_address
from contracts.messages import for_log as kinds
from contracts.protocol.judge import facts
from contracts.protocol.judge.errors import UnknownSubject
from contracts.protocol.log.codec import InvalidLeaf
from contracts.protocol.log.envelope import MessageTooLarge
from tests.alone import alone
from tests.lock_order import elsewhere
from tests.verifier.mirror.killing import killed_at
from tests.verifier.mirror.world import NODE, READER, RUN, VERIFIERS, address, beat, has, leaf
from verifier.mirror.errors import NotWelcome, QuotaSpent
from verifier.mirror.store import messages
from verifier.mirror.store.database import Database
from verifier.mirror.store.messages import MessageStore
from verifier.mirror.store.parsing import MAX_MESSAGE, Claim, Reader

pytestmark = pytest.mark.unit


def store(folder: Path, *refused: type) -> MessageStore:
    return MessageStore(folder / "messages.db", READER, lambda claim: not isinstance(claim, refused))


def texts(kept: MessageStore) -> list[bytes]:
    return [held.signed.text.encode() for held in kept.held()]


def test_messages_are_numbered_in_order(tmp_path: Path) -> None:
    kept = store(tmp_path)
    assert [kept.take(has(number)) for number in range(3)] == [1, 2, 3]
    page = kept.since(1)
    assert [held.sequence for held in page.held] == [2, 3]
    assert page.last == 3


def test_a_message_sent_twice_is_kept_once(tmp_path: Path) -> None:
    kept = store(tmp_path)
    assert [kept.take(has(7)), kept.take(has(7))] == [1, 1]
    assert len(kept.held()) == 1


def test_a_page_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "PAGE", 2)
    kept = store(tmp_path)
    for number in range(3):
        kept.take(has(number))
    assert [held.sequence for held in kept.since(0).held] == [1, 2]
    assert kept.since(2).last == 3


def test_an_unwelcome_message_is_refused(tmp_path: Path) -> None:
    kept = store(tmp_path, facts.Has)
    with pytest.raises(NotWelcome):
        kept.take(has(1))
    assert kept.since(0).held == ()


def test_an_address_is_no_message_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(NotWelcome):
        store(tmp_path).take(address("http://127.0.0.1:1"))


def test_another_signer_is_refused(tmp_path: Path) -> None:
    message = kinds.Has(RUN, 1, VERIFIERS[0].address, ())
    with pytest.raises(BadSignature):
        store(tmp_path).take(leaf(message, NODE))


def test_another_signer_of_a_heartbeat_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSignature):
        store(tmp_path).take(leaf(kinds.LeaseRenewal(RUN, 1, NODE.address, 1), VERIFIERS[0]))


def test_a_broken_signature_is_refused(tmp_path: Path) -> None:
    spoilt = has(1).replace(b'"signatures":["0x', b'"signatures":["0xff')
    with pytest.raises(BadSignature):
        store(tmp_path).take(spoilt)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 60_000,
        b'{"kind":"round-opened"}',
        b'{"kind":["has"]}',
        has(1).replace(b",", b", ", 1),
        has(1)[:-1],
        has(1).replace(b'"beside":{}', b'"beside":{"path":[]}'),
        beat(1).replace(b'"beside":{}', b'"beside":{"path":[]}'),
    ],
    ids=["nothing", "list", "no text", "deep", "derived", "odd kind", "blank", "cut", "beside", "beside a beat"],
)
def test_what_is_no_message_is_refused(tmp_path: Path, data: bytes) -> None:
    kept = store(tmp_path)
    with pytest.raises(InvalidLeaf):
        kept.take(data)
    assert kept.since(0).held == ()


def test_a_message_above_64_kb_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(MessageTooLarge):
        store(tmp_path).take(b"x" * (MAX_MESSAGE + 1))


def test_one_signer_fills_its_own_share_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST_OF_ONE", 2)
    kept = store(tmp_path)
    for number in range(2):
        kept.take(has(number))
    with pytest.raises(QuotaSpent):
        kept.take(has(2))
    assert kept.take(has(2, VERIFIERS[1])) == 3


def test_enrolments_of_strangers_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST_ENROLMENTS", 1)
    kept = store(tmp_path)
    for number, key in enumerate(VERIFIERS[:2]):
        joins = leaf(kinds.Enrolment(RUN, key.address, key.address, 1, RUN, 1), key)
        if number:
            with pytest.raises(QuotaSpent):
                kept.take(joins)
        else:
            kept.take(joins)
    assert kept.take(has(1)) == 2


def test_of_a_nodes_heartbeats_the_newest_is_kept(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.take(beat(1))
    kept.take(beat(2))
    assert texts(kept) == [beat(2)]
    with pytest.raises(NotWelcome):
        kept.take(beat(1))


def test_what_the_log_holds_is_dropped_for_good(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.take(has(1))
    kept.take(has(2))
    gone = kept.held()[1].signed.digest
    kept.drop([gone, "0xunknown", gone])
    assert texts(kept) == [has(1)]
    kept.close()
    again = store(tmp_path)
    assert again.take(has(3)) == 3, "the number of a dropped message is not given again"


def test_what_is_about_a_final_epoch_is_dropped(tmp_path: Path) -> None:
    kept = store(tmp_path)
    kept.take(has(1))
    kept.take(beat(1))

    def is_over(claim: Claim) -> bool:
        return isinstance(claim, facts.Has) and claim.round <= 1

    kept.drop_where(is_over)
    assert texts(kept) == [beat(1)]


def test_a_share_is_free_again_when_it_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST_OF_ONE", 1)
    kept = store(tmp_path)
    kept.take(has(1))
    kept.drop([kept.held()[0].signed.digest])
    assert kept.take(has(2)) == 2


def test_a_restart_keeps_messages_numbers_and_name(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.take(has(1))
    first.take(has(2))
    first.close()
    again = store(tmp_path)
    assert (again.name, texts(again)) == (first.name, [has(1), has(2)])
    assert again.take(has(2)) == 2


def test_a_new_folder_has_a_new_name(tmp_path: Path) -> None:
    assert store(tmp_path / "a").name != store(tmp_path / "b").name


def test_a_flipped_bit_on_the_disk_drops_its_message(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.take(has(1))
    first.take(has(2))
    first.close()
    with Database(tmp_path / "messages.db", "").write() as tables:
        tables.execute("UPDATE message SET text = replace(text, '0x', '0y') WHERE sequence = 1")
    assert texts(store(tmp_path)) == [has(2)]


@alone
def test_a_kill_at_any_line_loses_nothing_it_said(tmp_path: Path) -> None:
    """Each line of taking a message is the last of one process; the next one finds it whole or not at all."""
    first, second = beat(1), beat(2)
    kept = store(tmp_path / "start")
    kept.take(first)
    kept.close()
    for line in count():
        folder = tmp_path / str(line)
        shutil.copytree(tmp_path / "start", folder)

        def prepare(folder: Path = folder) -> Callable[[], None]:
            again = store(folder)

            def act() -> None:
                again.take(second)
                (folder / "said").touch()

            return act

        killed = killed_at(line, prepare, ("store/messages.py", "store/database.py"))
        found = texts(store(folder))
        assert found in ([first], [second])
        assert found == [second] or not (folder / "said").exists()
        if not killed:
            break
    assert line > 20, "the lines of a taking were tried"


def test_the_machine_is_asked_while_the_store_is_free(tmp_path: Path) -> None:
    """It has a lock of its own, whose holder may be asking this store."""
    free: list[bool] = []

    def machine(_claim: object) -> bool:
        free.append(elsewhere(lambda: kept.since(0)))
        return True

    kept = MessageStore(tmp_path / "messages.db", READER, machine)
    kept.take(has(1))
    kept.drop_where(lambda claim: machine(claim))
    assert set(free) == {True}
    assert kept.held() == ()


def test_a_message_on_a_lost_proof_is_read_once_known_again(tmp_path: Path) -> None:
    """A killed process may have been further than what lies under its own head."""
    known = True

    def author_of(_proof: str) -> Address:
        if not known:
            raise UnknownSubject("no such proof")
        return as_address(NODE.address)

    reader, opening = Reader(READER.domain, author_of), pledge()
    first = MessageStore(tmp_path / "messages.db", reader, lambda _: True)
    assert [first.take(opening), first.take(has(1))] == [1, 2]
    first.close()
    known = False
    kept = MessageStore(tmp_path / "messages.db", reader, lambda _: True)
    assert [held.sequence for held in kept.held()] == [2]
    known = True
    assert kept.take(opening) == 1
    assert [held.sequence for held in kept.since(0).held] == [1, 2]
    kept.close()
    again = MessageStore(tmp_path / "messages.db", reader, lambda _: True)
    known = False
    later = MessageStore(tmp_path / "messages.db", reader, lambda _: True)
    known = True
    later.drop_where(lambda _: False)
    assert [held.sequence for held in later.held()] == [held.sequence for held in again.held()] == [1, 2]


def pledge() -> bytes:
    """Names a proof, whose node has to have signed."""
    return leaf(kinds.PledgeReveal(b"\5" * 32, b"\6" * 32, 2**32 - 1), NODE)


def test_who_signed_is_asked_before_the_machine_is(tmp_path: Path) -> None:
    """Whether it would enter a message costs more than a signature, and anybody can name who takes part."""
    asked: list[str] = []

    def told(name: str) -> Callable[[object], bool]:
        return lambda _: asked.append(name) is None  # type: ignore[func-returns-value]

    kept = MessageStore(tmp_path / "messages.db", READER, told("machine"), told("part"))
    real, other = (VERIFIERS[number].address.encode() for number in (1, 0))
    forged = has(1, VERIFIERS[1]).replace(real, other)
    with pytest.raises(BadSignature):
        kept.take(forged)
    assert asked == ["part"]
    kept.take(has(1))
    assert asked == ["part", "part", "machine"]
