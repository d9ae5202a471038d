"""A verifier outlives whatever a server answers, and does its other duties meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.errors import BadField
from contracts.run_config import RunConfig
from trainer.corpus import WrongCorpus
from verifier.errors import AuditFailed
from verifier.service import Progress, VerifierService

pytestmark = pytest.mark.unit


class Duties:
    """Each duty but the last fails in its own way; all are counted."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def watch(self) -> None:
        self.done.append("watch")
        raise AuditFailed(7, "beacon was known before the proof stood in the log")

    def reveal(self, _say: Any) -> None:
        self.done.append("reveal")
        raise KeyError("state")

    def sign_faults(self, _known: Any, _say: Any) -> None:
        self.done.append("faults")
        raise BadField("a message that is none")

    def sign_node_faults(self, _known: Any, _say: Any) -> None:
        self.done.append("node faults")
        raise ConnectionError("the chain does not answer")

    def answer_appeals(self, _say: Any) -> bool:
        self.done.append("appeals")
        return True


class Server:
    """Answers with what makes no sense, and in the end tells the verifier to stop."""

    def __init__(self, stop: threading.Event) -> None:
        self.asked: list[str] = []
        self._stop = stop

    def news(self, seen: int, _seconds: float) -> int:
        self.asked.append("news")
        if len(self.asked) > 2:
            self._stop.set()
        return seen + 1

    def get(self, path: str) -> Any:
        self.asked.append(path)
        return "nonsense"


def service(client: Any) -> tuple[VerifierService, list[Progress]]:
    """A verifier without a chain; only its loop is tried."""
    made, said = object.__new__(VerifierService), list[Progress]()
    made.client, made._report, made._duties = client, said.append, Duties()  # type: ignore[assignment]
    made._replica = SimpleNamespace(mirror=made._duties, known=None)  # type: ignore[assignment]
    made._troubled = False
    return made, said


def test_a_duty_that_fails_keeps_no_other_from_being_done() -> None:
    made, said = service(Server(threading.Event()))
    assert made._look() is True
    assert made._duties.done == ["watch", "reveal", "faults", "node faults", "appeals"]  # type: ignore[attr-defined]
    assert len(said) == 5
    assert {line.event for line in said} == {"trouble"}
    assert any("bad-field: a message that is none" in line.detail for line in said)
    assert any("audit-failed: log entry 7: beacon was known" in line.detail for line in said)


def test_a_verifier_with_other_text_than_the_run_binds_itself_to_nothing(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("another line of text\n" * 1000)
    made, said = service(SimpleNamespace(get=lambda _path: {"config": RunConfig(corpus_digest="ab" * 32).to_json()}))
    made.settings = SimpleNamespace(run="0x00", data=(text,))  # type: ignore[assignment]
    with pytest.raises(WrongCorpus):
        made.anchor()  # its client can send nothing
    assert not said


def test_nonsense_from_a_server_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    server = Server(stop)
    made, said = service(server)
    monkeypatch.setattr(made, "anchor", lambda: None)
    monkeypatch.setattr("verifier.service.NEWS_SECONDS", 0.01)
    made.settings = type("Settings", (), {"run": "0x00"})()  # type: ignore[assignment]
    made.run(stop)
    assert server.asked.count("news") >= 2
    assert len(said) >= 2
