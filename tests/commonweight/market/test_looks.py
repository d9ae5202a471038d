"""What a command's look asks, and what a lying server can do to a join."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commonweight.market import desk, run_side
from commonweight.market.accounts import Account
from commonweight.market.errors import ProviderAway
from commonweight.market.money import MicroUsd
from commonweight.market.renting.journal import Fleet, Journal
from commonweight.market.renting.launching import launch
from commonweight.market.renting.rental import LATE_SECONDS
from commonweight.market.run_side import RunSide, RunUnfit
from contracts.errors import CommonweightError
from contracts.ids import as_address, to_hex
from contracts.messages.fields import to_json
from contracts.messages.for_log import RunTerms
from contracts.messages.signatures import Domain, digest
from contracts.wire.fields import PAGE
from contracts.wire.rounds import ProofLine
from contracts.wire.runs import NodeLine
from contracts.wire.states import ProofState
from tests.commonweight.market.renting.simulated import BOOTSTRAP, Clock, Simulated, away, offer
from tests.contracts.protocol.log.test_leaf import TERMS
from trainer.client import ApiUnreachable

pytestmark = pytest.mark.unit
NODE = as_address("0x" + "11" * 20)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Simulated:
    """The only account with a key, and one more without."""
    found = Simulated(Clock())
    accounts = {
        "keyless": Account("keyless", "http://127.0.0.1:1", lambda url, key: found, "NO_VARIABLE_A"),
        "sim": Account("sim", "http://127.0.0.1:1", lambda url, key: found, "NO_VARIABLE_B"),
    }
    for module in ("commonweight.market.accounts.ACCOUNTS", "commonweight.market.desk.ACCOUNTS"):
        monkeypatch.setattr(module, accounts)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "sim").write_text("a-key-of-letters\n")
    (tmp_path / "keys" / "sim").chmod(0o600)
    return found


def _journal(folder: Path, clock: Clock) -> Journal:
    journal = Journal(folder / "journal.db", clock)
    journal.fleet_begins(Fleet("f", MicroUsd(10**8), clock.now + 9_000))
    return journal


def test_a_machine_that_came_late_is_ended_by_ps(provider: Simulated, tmp_path: Path) -> None:
    """Its launch was given up, and its process is gone."""
    journal = _journal(tmp_path, provider.clock)

    def cut(before: bool) -> None:
        if not before:
            raise away(sent=True)

    provider.on_launch = cut
    launch(journal, provider, offer(), "f", lambda _: BOOTSTRAP)
    hidden, provider.bills = provider.bills, {}
    provider.clock.now += 200
    desk.look(journal, tmp_path)
    provider.bills = hidden
    provider.clock.now += 2 * LATE_SECONDS
    for _ in range(2):
        desk.look(journal, tmp_path)
    assert provider.running == []


def test_ps_finds_what_an_older_journal_does_not_know(provider: Simulated, tmp_path: Path) -> None:
    journal = _journal(tmp_path, provider.clock)
    provider.launch(offer(), BOOTSTRAP, f"cw-{journal.name}-0123456789", lambda _: None)
    desk.look(journal, tmp_path)
    assert provider.running == []


@pytest.mark.parametrize("name", ["keyless", "nobody"])
def test_an_account_that_cannot_be_opened_hides_no_other(
    provider: Simulated, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = _journal(tmp_path, provider.clock)
    other = Simulated(provider.clock, provider.facts)
    launch(journal, other, offer(provider=name), "f", lambda _: BOOTSTRAP)
    launch(journal, provider, offer(), "f", lambda _: BOOTSTRAP)
    journal.fleet_ends("f")
    desk.look(journal, tmp_path)
    assert provider.running == []
    assert f"{name} cannot be asked" in capsys.readouterr().err


class _Server:
    """A run's server that answers as it is told."""

    def __init__(self, phase: Any = None, lines: Any = None) -> None:
        self.phase, self.lines = phase, lines

    def get(self, path: str, **query: Any) -> Any:
        return self.phase() if callable(self.phase) else self.phase

    def read_list(self, kind: type, path: str, **query: Any) -> list[ProofLine]:
        found: list[ProofLine] = self.lines(**query)
        return found


def _side(**given: Any) -> RunSide:
    return RunSide("http://127.0.0.1:1", "a" * 64, _Server(**given))  # type: ignore[arg-type]


def _line(number: int) -> ProofLine:
    given = {"proof": f"{number:064x}", "round": 1, "node": NODE, "work": 5, "state": ProofState.POSTED}
    return ProofLine.model_construct(None, **given)


class _Terms:
    """A server that shows these terms for any run."""

    domain = Domain(1, "0x" + "22" * 20)

    def __init__(self, shown: RunTerms) -> None:
        self.shown = shown

    def read(self, kind: type, path: str) -> Any:
        return SimpleNamespace(phase="training", manifest=to_json(self.shown))


def test_a_server_that_shows_other_terms_has_nothing_rented() -> None:
    """The run asks a stake, which no rented machine's key has: each would be paid for, and join nothing."""
    free, staked = replace(TERMS, nodeStake=0), replace(TERMS, nodeStake=10**18)
    for asked, shown, words in ((free, free, ""), (staked, staked, "stakes"), (staked, free, "other terms")):
        run = to_hex(digest(asked, _Terms.domain))
        side = RunSide("http://127.0.0.1:1", run, _Terms(shown))  # type: ignore[arg-type]
        with pytest.raises(RunUnfit, match=words) if words else nullcontext():
            side.require_open()


def test_nodes_that_are_paid_elsewhere_are_named() -> None:
    own, host = as_address("0x" + "aa" * 20), as_address("0x" + "77" * 20)
    paid = {as_address(f"0x{number:040x}"): host if number % 2 else own for number in range(PAGE + 9)}
    names = sorted(paid)

    def lines(after: str, limit: int) -> list[Any]:
        page = [name for name in names if name > after][:limit]
        return [NodeLine.model_construct(None, node=name, payout=paid[name]) for name in page]

    side = _side(lines=lines)
    last = names[-1]
    asked = [names[0], names[1], last, NODE]
    assert side.diverted(asked, own) == {name: host for name in asked if paid.get(name) == host}


def test_a_list_of_proofs_that_goes_round_has_an_end() -> None:
    side = _side(lines=lambda **query: [_line(number) for number in range(run_side.PAGE)])
    with pytest.raises(ApiUnreachable):
        side.first_proofs([NODE])
    assert side.first_proofs([NODE]) == {NODE: f"{0:064x}"}
    with pytest.raises(ApiUnreachable):
        side.work()


def test_rounds_that_are_decided_are_read_once() -> None:
    """The last one is read again, and so is each one in which a proof is still pending."""
    states = {1: ProofState.POSTED, 2: ProofState.VOIDED, 3: ProofState.PENDING, 4: ProofState.POSTED}
    asked: list[int] = []

    def lines(first: int, **_: Any) -> list[ProofLine]:
        asked.append(first)
        return [
            _line(number).model_copy(update={"round": number, "state": state})
            for number, state in states.items()
            if number >= first
        ]

    side = _side(lines=lines)
    assert side.work() == {NODE: 10}
    assert side.work() == {NODE: 10}
    states[3] = ProofState.POSTED
    assert side.work() == {NODE: 15}
    states[5] = ProofState.POSTED
    assert side.work() == {NODE: 20}
    assert side.work() == {NODE: 20}
    assert asked == [1, 3, 3, 4, 5]


def test_a_server_that_never_answers_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_side, "RUN_SECONDS", 0.01)
    never = threading.Event()
    side = _side(phase=never.wait, lines=lambda **query: never.wait() or [])
    assert not side.is_over()
    for _ in range(2):
        with pytest.raises(ProviderAway):
            side.first_proofs([NODE])
    never.set()


@pytest.mark.parametrize("phase", [None, [], {}, "over", 5])
def test_a_phase_in_another_form_is_an_error_of_ours(phase: Any) -> None:
    with pytest.raises(CommonweightError):
        _side(phase=phase).is_over()
