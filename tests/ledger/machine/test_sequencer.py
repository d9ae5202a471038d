"""Many writers' messages in one transaction: each answered after its commit, none hurt by its neighbours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlmodel import Session

from benchmarks.submitted_round import Opened, open_rounds
from contracts.messages.for_log import Commitment
from contracts.messages.signatures import sign
from contracts.protocol.judge.errors import Refused
from contracts.protocol.judge.snapshot import dump
from contracts.protocol.log import follower
from contracts.protocol.log.envelope import parse_envelope
from contracts.protocol.log.follower import audit
from contracts.protocol.log.leaf import write
from contracts.protocol.log.signed import Envelope
from ledger.context import Ledger
from ledger.errors import DatabaseUnreachable, JournalConflict, LedgerBusy
from ledger.intake import door
from ledger.machine import replica, sequencer
from ledger.machine.effects import cause
from ledger.machine.replica import Entered, PreparedFact, Replica
from ledger.machine.sequencer import Sequencer
from ledger.storage.store import Store
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun, key
from tests.holds import Threat, holds
from tests.ledger.service import leaves, ledger_of, state_text
from tests.waiting import until

pytestmark = pytest.mark.integration
WRITERS = 12


@pytest.fixture
def ledger(store: Store, tmp_path: Path) -> Ledger:
    return ledger_of(store, tmp_path)


@pytest.fixture
def opened(ledger: Ledger) -> Opened:
    """A round of as many nodes as there are writers, and their commitments."""
    return open_rounds(ledger, WRITERS)


def prepared(ledger: Ledger, text: bytes) -> PreparedFact:
    envelope, read = parse_envelope(text)
    with ledger.store.read() as session:
        return ledger.judge.prepare(session, envelope, read)


def another(text: bytes) -> bytes:
    """A commitment of the same node to the same round, with another gradient."""
    envelope, _ = parse_envelope(text)
    message = cast(Commitment, envelope.message)
    changed = replace(message, gradientSize=message.gradientSize + 1)
    author = next(one for one in (key(f"node {n}") for n in range(WRITERS)) if one.address == message.node)
    return write(Envelope(changed, (sign(changed, DOMAIN, bytes(author.key)),), envelope.beside)).encode()


@contextmanager
def held(ledger: Ledger) -> Iterator[None]:
    """The writers' turn is somebody else's: whoever comes now waits, and then comes with all that waited."""
    with ledger.store.write(quiet=True):
        yield


def at_once(ledger: Ledger, texts: list[bytes]) -> list[Any]:
    """What `door.take` gives or raises for each, all of them waiting for one turn."""
    waiting = ledger.sequencer._queue
    with ThreadPoolExecutor(len(texts)) as pool:
        with held(ledger):
            found = [pool.submit(door.take, ledger, text) for text in texts]
            until(lambda: len(waiting) >= len(texts) - 1)  # one of them has left it, and waits for the turn
        return [one.exception() or one.result() for one in found]


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many facts each transaction entered."""
    found, enter_many = list[int](), Replica.enter_many

    def counted(self: Replica, session: Session, facts: list[PreparedFact]) -> Any:
        found.append(len(facts))
        return enter_many(self, session, facts)

    monkeypatch.setattr(Replica, "enter_many", counted)
    return found


def follows_from_rules(ledger: Ledger, facts: int, before: int) -> None:
    """The log has so many more facts, and its machine is what the rules make of it."""
    with ledger.store.read() as session:
        found = leaves(session)
        with ledger.judge.view(session) as state:
            assert dump(state) == dump(audit(found, SignedRun.protocol(), DOMAIN)) == state_text(ledger)
    assert sum('"kind":"commitment"' in leaf for leaf in found[before:]) == facts


def test_what_waits_is_entered_together_and_each_is_answered(
    ledger: Ledger, opened: Opened, batches: list[int]
) -> None:
    done = at_once(ledger, opened.texts)
    assert sorted(accepted.index for accepted in done) == list(range(opened.size, opened.size + WRITERS))
    assert sum(batches) == WRITERS
    assert max(batches) >= WRITERS - 1
    follows_from_rules(ledger, WRITERS, opened.size)


def test_the_same_message_many_times_at_once_is_entered_once(ledger: Ledger, opened: Opened) -> None:
    done = at_once(ledger, [opened.texts[0]] * 6 + [opened.texts[1]])
    assert len({accepted.index for accepted in done[:6]}) == 1
    follows_from_rules(ledger, 2, opened.size)


def test_what_is_refused_hurts_nobody_beside_it(ledger: Ledger, opened: Opened, batches: list[int]) -> None:
    """A node's second, other commitment to its round is refused, and its neighbours are not."""
    door.take(ledger, opened.texts[0])
    done = at_once(ledger, [*opened.texts[1:6], another(opened.texts[0]), *opened.texts[6:]])
    assert [isinstance(one, Refused) for one in done] == [False] * 5 + [True] + [False] * (WRITERS - 6)
    assert max(batches) >= WRITERS - 1
    assert sum(batches) == 1 + WRITERS, "none of them was tried a second time"
    follows_from_rules(ledger, WRITERS, opened.size)


def test_what_fails_otherwise_is_tried_alone_and_hurts_nobody(
    ledger: Ledger, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = parse_envelope(opened.texts[3])[0]

    def failing(at: Any, found: Any, envelope: Any, name: Any) -> None:
        if envelope == bad:
            raise JournalConflict("as no rule foresees")
        cause(at, found, envelope, name)

    monkeypatch.setattr(replica, "cause", failing)
    done = at_once(ledger, opened.texts)
    assert [isinstance(one, JournalConflict) for one in done] == [number == 3 for number in range(WRITERS)]
    follows_from_rules(ledger, WRITERS - 1, opened.size)


@pytest.mark.parametrize("error", [LedgerBusy("taken"), DatabaseUnreachable("away")])
def test_what_would_meet_all_alike_is_told_to_all_at_once(
    ledger: Ledger, opened: Opened, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    tries = list[int]()

    def away(self: Replica, session: Session, facts: list[PreparedFact]) -> Any:
        tries.append(len(facts))
        raise error

    monkeypatch.setattr(Replica, "enter_many", away)
    assert at_once(ledger, opened.texts) == [error] * WRITERS
    assert len(tries) <= 2, "nobody waits for the database once for each"


def test_a_message_that_is_sent_again_takes_no_turn(ledger: Ledger, opened: Opened, batches: list[int]) -> None:
    first = door.take(ledger, opened.texts[0])
    with held(ledger):
        assert door.take(ledger, opened.texts[0]) == first
    assert batches == [1]


def test_no_turn_enters_more_than_the_most(ledger: Ledger, opened: Opened, batches: list[int]) -> None:
    ledger.__dict__["sequencer"] = Sequencer(ledger.store, ledger.judge, most=5)
    at_once(ledger, opened.texts)
    assert max(batches) == 5
    follows_from_rules(ledger, WRITERS, opened.size)


def test_who_waits_too_long_is_told_to_come_again(ledger: Ledger, opened: Opened) -> None:
    ledger.__dict__["sequencer"] = made = Sequencer(ledger.store, ledger.judge, wait=0.05)
    facts = [prepared(ledger, text) for text in opened.texts[:2]]
    with held(ledger):
        first = threading.Thread(target=made.enter, args=(facts[0],))
        first.start()
        until(lambda: made._entering)
        with pytest.raises(LedgerBusy):
            made.enter(facts[1])
    first.join()
    follows_from_rules(ledger, 1, opened.size)


def test_who_waits_while_its_fact_is_entered_does_not_spin(ledger: Ledger, opened: Opened) -> None:
    """Its time is over and another thread has its fact: it sleeps until that one says what became of it."""
    ledger.__dict__["sequencer"] = made = Sequencer(ledger.store, ledger.judge, wait=0.05)
    looks, let, enter, wait = list[float | None](), threading.Event(), made._enter, made._changed.wait

    def slow(batch: list[Any]) -> None:
        if len(batch) > 1:
            let.wait(1.0)
        enter(batch)

    def counted(seconds: float | None = None) -> bool:
        looks.append(seconds)
        return wait(seconds)

    made._enter, made._changed.wait = slow, counted  # type: ignore[method-assign,assignment]
    made._entering = True
    facts = [prepared(ledger, text) for text in opened.texts[:3]]
    with ThreadPoolExecutor(3) as pool:
        made._wait = 0.5
        found = [pool.submit(made.enter, fact) for fact in facts]
        until(lambda: len(made._queue) == 3)
        made._end_turn([])
        assert [one.result().derived for one in found] == [0, 0, 0]
    assert len(looks) < 20, f"{len(looks)} looks in a second"


def test_a_failure_after_the_commit_is_no_answer_to_who_entered(
    ledger: Ledger, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fact is in the log: that the readers' machine could not be brought on is somebody else's matter."""

    def away(*_: Any) -> Any:
        raise DatabaseUnreachable("away")

    fact = prepared(ledger, opened.texts[0])
    monkeypatch.setattr(Replica, "is_behind", property(lambda _: True))
    monkeypatch.setattr(Replica, "view", away)
    assert ledger.sequencer.enter(fact).index == opened.size


class Ends(BaseException):
    """As a thread is ended."""


def test_a_thread_that_ends_leaves_every_neighbour_an_answer(
    ledger: Ledger, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch failed, and each is tried alone, when the thread that does it ends."""
    enter_many, tries = Replica.enter_many, list[int]()

    def failing(self: Replica, session: Session, facts: list[PreparedFact]) -> Any:
        tries.append(len(facts))
        if len(facts) > 1:
            raise JournalConflict("as no rule foresees")
        if len(tries) > 2:
            raise Ends
        return enter_many(self, session, facts)

    made, facts = ledger.sequencer, [prepared(ledger, text) for text in opened.texts[:4]]
    waiting = [sequencer._Waiting(fact) for fact in facts]
    monkeypatch.setattr(Replica, "enter_many", failing)
    made._queue.extend(waiting[1:])
    with pytest.raises(Ends):
        made.enter(facts[0])
    assert [type(one.result) for one in waiting[1:]] == [Entered, LedgerBusy, LedgerBusy]


def test_a_database_lost_in_a_batch_is_told_to_the_rest(
    ledger: Ledger, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of 64 would else wait for it 64 times, and with it whoever comes."""
    tries = list[int]()

    def failing(self: Replica, session: Session, facts: list[PreparedFact]) -> Any:
        tries.append(len(facts))
        raise JournalConflict("as no rule foresees") if len(facts) > 1 else DatabaseUnreachable("away")

    monkeypatch.setattr(Replica, "enter_many", failing)
    found = at_once(ledger, opened.texts)
    assert [type(one) for one in found] == [DatabaseUnreachable] * WRITERS
    assert len(tries) <= 3, tries


def test_who_reads_the_machine_keeps_no_writer_from_its_commit(ledger: Ledger, opened: Opened) -> None:
    """A reader copies the machine, or writes a snapshot of it, for a while."""
    door.take(ledger, opened.texts[0])
    with ThreadPoolExecutor(1) as pool, ledger.store.read() as session, ledger.judge.view(session):
        taken = pool.submit(door.take, ledger, opened.texts[1])
        assert taken.result(timeout=20).index == opened.size + 1
    follows_from_rules(ledger, 2, opened.size)


def test_what_is_refused_or_known_wakes_nobody(ledger: Ledger, opened: Opened) -> None:
    """Any stranger can send it, again and again; a keeper that is woken asks the chain, and does all its steps."""
    door.take(ledger, opened.texts[0])
    before = ledger.store.changes.count
    door.take(ledger, opened.texts[0])
    with pytest.raises(Refused):
        door.take(ledger, another(opened.texts[0]))
    assert ledger.store.changes.count == before
    door.take(ledger, opened.texts[1])
    assert ledger.store.changes.count == before + 1
    follows_from_rules(ledger, 2, opened.size)


def test_what_nobody_reads_does_not_fill_the_memory(
    ledger: Ledger, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a long log is taken back from a mirror: entered, and looked at by nobody."""
    monkeypatch.setattr(replica, "BATCH", 4)
    for text in opened.texts:
        with ledger.store.write() as session:
            ledger.judge.enter(session, parse_envelope(text)[0])
    assert len(ledger.judge._fresh) <= 4
    follows_from_rules(ledger, WRITERS, opened.size)


def no_memory(*_: Any) -> None:
    raise MemoryError


def test_a_machine_that_broke_off_in_a_fact_is_made_anew(
    ledger: Ledger, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No memory is left in the midst of a fact that the readers' machine takes over: it knows half of it."""
    state_text(ledger)
    door.take(ledger, opened.texts[0])
    with monkeypatch.context() as short:
        short.setattr(follower, "grow", no_memory)
        with pytest.raises(MemoryError):
            state_text(ledger)
    for text in opened.texts[1:]:
        door.take(ledger, text)
    with ledger.store.write() as session:  # and the writer's begins again from it
        ledger.judge._spoilt = True
        ledger.judge.at_end(session)
    follows_from_rules(ledger, WRITERS, opened.size)


KILLED = """
import sys, threading
from pathlib import Path
from benchmarks.submitted_round import ledger_at
from ledger.crash_points import armed
from ledger.intake import door
from ledger.machine import replica

ledger = ledger_at(sys.argv[1], Path(sys.argv[2]))
texts = [line.encode() for line in sys.stdin.read().splitlines()]

def write(mine):
    for text in mine:
        sys.stdout.write(door.take(ledger, text).digest + "\\n")
        sys.stdout.flush()

with armed(sys.argv[3], "kill", int(sys.argv[4])):
    writers = [threading.Thread(target=write, args=(texts[place::8],)) for place in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
"""


@holds(
    "An accepted message is in the log exactly once, whatever waits beside it",
    by="ledger/machine/sequencer.py:Sequencer.enter",
    against=Threat.CRASH,
)
@pytest.mark.parametrize("point", ["sequencer.entered", "judgement.booked", "judgement.logged"])
def test_a_kill_loses_nothing_that_was_answered(ledger: Ledger, opened: Opened, tmp_path: Path, point: str) -> None:
    """Eight writers in a process that is killed in its second batch; the next one is sent all of it again."""
    url = ledger.store.engine.url.render_as_string(hide_password=False)
    texts = b"\n".join(opened.texts).decode()
    command = [sys.executable, "-c", KILLED, url, str(tmp_path), point, "2" if point == "sequencer.entered" else "9"]
    ended = subprocess.run(command, input=texts, capture_output=True, text=True, env=os.environ)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    answered = ended.stdout.split()
    with ledger.store.read() as session:
        for name in answered:
            assert ledger.judge.known(session, name) is not None, "what was answered is there"
    for text in opened.texts:
        door.take(ledger, text)
    follows_from_rules(ledger, WRITERS, opened.size)
