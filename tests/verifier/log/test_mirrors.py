"""What an audit makes of the verifiers' mirrors: heads of another log, unsigned ones, silence, evidence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.mirrors.finding import find_mirrors
from contracts.mirrors.peer import PeerUnreachable
from contracts.mirrors.places import FolderPlace, Place
from contracts.mirrors.reading import LogReader
from contracts.protocol.log.codec import canonical
from contracts.tlog.note import SignedNote
from contracts.tlog.tiles import Tile
from tests.contracts.protocol.log.signed_run import SignedRun
from tests.verifier.log.files import OPERATOR, KeyedRun, cosigned, deployment, write_log
from verifier.log import auditing
from verifier.log.auditing import Audit, Auditor
from verifier.log.report import Report
from verifier.log.two_logs import contradiction

pytestmark = pytest.mark.unit


@dataclass
class Mirror:
    """A folder with another head on it, and a list."""

    folder: Path
    note: SignedNote | Exception
    listed: bytes = b""
    name: str = "a mirror"

    def checkpoint(self) -> bytes:
        if isinstance(self.note, Exception):
            raise self.note
        return self.note.format()

    def tile(self, tile: Tile) -> bytes:
        return FolderPlace(self.folder).tile(tile)

    def mirrors(self) -> bytes:
        return self.listed


@pytest.fixture(scope="module")
def run() -> SignedRun:
    return KeyedRun()


@dataclass
class Town:
    """The log that is audited, and another one of the same operator."""

    leaves: list[str]
    names: list[str]
    log: Path
    other: Path

    @property
    def forked(self) -> list[str]:
        changed = canonical(json.loads(self.leaves[1]) | {"time": 999})
        return [self.leaves[0], changed, *self.leaves[2:]]

    def mirror(self, number: int) -> Mirror:
        return Mirror(self.log, cosigned(self.leaves, self.names[number]))

    def fork(self, number: int, size: int | None = None) -> Mirror:
        shown = self.forked[:size]
        return Mirror(write_log(self.other / str(size), shown), cosigned(shown, self.names[number]))


@pytest.fixture
def town(run: SignedRun, tmp_path: Path) -> Town:
    names = [str(verifier.address) for verifier in run.verifiers]
    return Town(run.leaves, list(names), write_log(tmp_path / "log", run.leaves), tmp_path / "other")


def audit(town: Town, monkeypatch: pytest.MonkeyPatch, *mirrors: Mirror) -> Report:
    places: dict[str, Place] = dict(zip(town.names, mirrors, strict=False))
    monkeypatch.setattr(auditing, "find_mirrors", lambda *_: (places, []))
    return Audit(Auditor(deployment(), str(town.log))).run()


def test_heads_of_the_log_that_its_verifiers_signed_are_counted(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = Mirror(town.log, cosigned(town.leaves[:3], town.names[1]))
    report = audit(town, monkeypatch, town.mirror(0), behind, town.mirror(2))
    assert report.findings == []
    assert "mirrors: 3 of 3 verifiers have signed this log as theirs (k is 2)" in report.holds


@pytest.mark.parametrize("size", [None, 3])
def test_a_mirror_of_another_log_is_a_finding_that_convicts(
    town: Town, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    report = audit(town, monkeypatch, town.mirror(0), town.fork(1, size))
    (finding,) = report.findings
    assert finding.kind == "two-logs"
    assert town.names[1] in finding.what
    assert finding.evidence is not None
    assert any(line.startswith("mirrors: 1 of 3") for line in report.holds)


def test_who_is_silent_or_signs_nothing_is_named_and_not_counted(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    silent, foreign = Mirror(town.log, PeerUnreachable("away")), Mirror(town.log, cosigned(town.leaves, town.names[0]))
    report = audit(town, monkeypatch, silent, foreign)
    assert report.findings == []
    said = "\n".join(report.unchecked)
    assert f"the mirror of {town.names[0]}: away" in said
    assert f"the head of {town.names[1]}: no signature by {town.names[1]}" in said
    assert any(line.startswith("mirrors: 0 of 3") for line in report.holds)


def test_evidence_that_mirrors_keep_is_a_finding_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    fork = town.fork(1)
    found = contradiction(LogReader(FolderPlace(town.log), OPERATOR.public), cosigned(town.forked), fork)
    assert found is not None
    listed = json.dumps({"mirrors": [], "evidence": [found.body()]}).encode()
    first, second = town.mirror(0), town.mirror(1)
    first.listed = second.listed = listed
    (finding,) = audit(town, monkeypatch, first, second).findings
    assert finding.evidence == found.body()


def test_a_list_of_another_form_is_named(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = town.mirror(0)
    odd.listed = b"{"
    report = audit(town, monkeypatch, odd)
    assert any("is not JSON" in line for line in report.unchecked)


def test_mirrors_are_those_of_the_deployment_if_none_is_listed(town: Town) -> None:
    place = deployment((f"{town.names[0]} http://127.0.0.1:9",))
    domain = Auditor(place, "").domain
    found, trouble = find_mirrors(place, domain, town.names, FolderPlace(town.log), str(town.log))
    assert list(found) == town.names[:1]
    assert found[town.names[0]].name == "http://127.0.0.1:9"
    assert [line.partition(":")[0] for line in trouble] == [f"the mirror of {name}" for name in sorted(town.names[1:])]
