"""An audit of a log on its own: whatever an operator does to an entry is found, with its index and what was due."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.merkle.positional_tree import SHA256_TREE
from contracts.merkle.stored_tree import GrowingTree
from contracts.protocol.log.codec import canonical
from contracts.tlog.bundles import format_bundle
from contracts.tlog.policy_text import format_policy
from contracts.tlog.tile_tree import tile_bytes
from contracts.tlog.tiles import tile_of
from tests.contracts.protocol.log.signed_run import SignedRun
from tests.verifier.log.files import OPERATOR, KeyedRun, deployment, head_of, write_log
from verifier.log.auditing import Audit, Auditor
from verifier.log.report import AuditFailed, Report

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def leaves() -> list[str]:
    run = SignedRun(rounds=1)
    run.play()
    return run.leaves


def audit(folder: Path, leaves: list[str], kept: Path | None = None) -> Report:
    address = str(write_log(folder / "log", leaves))
    return Audit(Auditor(deployment(), address)).run(kept)


def place_of(leaves: list[str], kind: str) -> int:
    return next(index for index, leaf in enumerate(leaves) if json.loads(leaf)["kind"] == kind)


def changed(leaf: str, **fields: Any) -> str:
    return canonical(json.loads(leaf) | fields)


def test_a_sound_log_holds_and_unchecked_statements_are_named(tmp_path: Path, leaves: list[str]) -> None:
    """Those for which no chain was asked."""
    report = audit(tmp_path, leaves)
    report.require()
    assert report.findings == []
    assert report.holds[0] == f"head: {len(leaves)} entries, signed by {OPERATOR.name}"
    assert f"all {len(leaves)} follow" in report.holds[1]
    said = "\n".join(report.unchecked)
    for word in ("blocks against a chain of yours", "roots on the chain", "are the model's verifiers", "is right"):
        assert word in said
    assert said.count("it has no address") == 3


FORGERIES: dict[str, Callable[[list[str]], tuple[list[str], int]]] = {
    "posted-to-another": lambda all_: _edit(all_, "posted", account="0x" + "11" * 20),
    "more-tokens": lambda all_: _edit(all_, "posted", tokens=10**6),
    "another-panel": lambda all_: _edit(all_, "panel-drawn", seats=[]),
    "another-root": lambda all_: _edit(all_, "epoch-closed", root="0x" + "22" * 32),
    "posted-left-out": lambda all_: _without(all_, "posted"),
    "closing-left-out": lambda all_: _without(all_, "epoch-closed"),
    "posted-twice": lambda all_: _twice(all_, "posted"),
    "not-canonical": lambda all_: _put(all_, "commitment", " " + all_[place_of(all_, "commitment")]),
    "another-version": lambda all_: _edit(all_, "rules", version="9.9.9"),
    "somebody-elses-signature": lambda all_: _signature(all_),
}


def _edit(all_: list[str], kind: str, **fields: Any) -> tuple[list[str], int]:
    index = place_of(all_, kind)
    return _put(all_, kind, changed(all_[index], **fields))


def _put(all_: list[str], kind: str, leaf: str) -> tuple[list[str], int]:
    index = place_of(all_, kind)
    return [*all_[:index], leaf, *all_[index + 1 :]], index


def _without(all_: list[str], kind: str) -> tuple[list[str], int]:
    index = place_of(all_, kind)
    return all_[:index] + all_[index + 1 :], index


def _twice(all_: list[str], kind: str) -> tuple[list[str], int]:
    index = place_of(all_, kind)
    return [*all_[: index + 1], *all_[index:]], index + 1


def _signature(all_: list[str]) -> tuple[list[str], int]:
    has = [index for index, leaf in enumerate(all_) if json.loads(leaf)["kind"] == "has"]
    foreign = json.loads(all_[has[1]])["signatures"]
    index = has[0]
    return [*all_[:index], changed(all_[index], signatures=foreign), *all_[index + 1 :]], index


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_entry_is_found_with_its_index(tmp_path: Path, leaves: list[str], name: str) -> None:
    forged, index = FORGERIES[name](leaves)
    report = audit(tmp_path, forged)
    (finding,) = report.findings
    assert (finding.kind, finding.index) == ("entry", index)
    left = f"the {len(forged) - index - 1} entries behind entry {index}"
    assert (left in report.unchecked) == (index < len(forged) - 1)
    with pytest.raises(AuditFailed, match=f"entry {index}: "):
        report.require()


def test_a_finding_says_what_was_due(tmp_path: Path, leaves: list[str]) -> None:
    forged, index = FORGERIES["posted-to-another"](leaves)
    assert audit(tmp_path / "changed", forged).findings[0].due == leaves[index]
    end = place_of(leaves, "epoch-closed")
    (finding,) = audit(tmp_path / "cut", leaves[:end]).findings
    assert (finding.index, finding.due) == (end, leaves[end])
    assert "is missing" in finding.what


def test_bytes_that_are_no_text_are_a_finding(tmp_path: Path, leaves: list[str]) -> None:
    folder = write_log(tmp_path / "log", leaves[:2])
    entries = [leaves[0].encode(), b"\xff\xfe"]
    tree = GrowingTree()
    tree.append(map(SHA256_TREE.leaf_hash, entries))
    (folder / "tile/entries/000.p/2").write_bytes(format_bundle(entries))
    (folder / "tile/0/000.p/2").write_bytes(tile_bytes(tree.stored.fetch, tile_of(0, 0, 2)))
    (folder / "checkpoint").write_bytes(OPERATOR.head(2, tree.root(2)).format())
    (finding,) = Audit(Auditor(deployment(), str(folder))).run().findings
    assert (finding.index, finding.what) == (1, "is not UTF-8 at byte 0")


def test_the_next_audit_is_of_a_log_that_goes_on(tmp_path: Path, leaves: list[str]) -> None:
    kept, half = tmp_path / "head", place_of(leaves, "has")
    assert audit(tmp_path / "first", leaves[:half], kept).findings == []
    report = audit(tmp_path / "second", leaves, kept)
    assert f"history: the log goes on from the {half} entries of the head in {kept}" in report.holds
    assert kept.read_bytes() == head_of(leaves).format()


def test_a_log_behind_the_kept_head_is_no_finding(tmp_path: Path, leaves: list[str]) -> None:
    """It leaves the head as it is."""
    kept = tmp_path / "head"
    audit(tmp_path / "first", leaves, kept)
    report = audit(tmp_path / "behind", leaves[:2], kept)
    assert report.findings == []
    assert any(f"holds a head of {len(leaves)} entries" in line for line in report.unchecked)
    assert kept.read_bytes() == head_of(leaves).format()


def test_a_log_other_than_last_time_is_a_finding_with_evidence(tmp_path: Path, leaves: list[str]) -> None:
    kept = tmp_path / "head"
    other = [leaves[0], changed(leaves[1], time=999)]
    kept.write_bytes(head_of(other).format())
    (finding,) = audit(tmp_path, leaves, kept).findings
    assert finding.kind == "two-logs"
    assert finding.evidence is not None
    assert finding.evidence["smaller"] == head_of(other).format().decode()
    assert kept.read_bytes() == head_of(other).format()


def test_the_policy_is_k_of_the_verifiers_with_a_key(tmp_path: Path) -> None:
    run = KeyedRun()
    made = Audit(Auditor(deployment(), str(write_log(tmp_path, run.leaves))))
    made.run()
    text = format_policy(made.policy()).decode()
    names = [verifier.address for verifier in run.verifiers]
    assert text.startswith(f"log {OPERATOR.public.vkey()}\n")
    assert f"group verifiers 2 {' '.join(sorted(names))}\n" in text


def test_progress_is_told_of_each_entry(tmp_path: Path, leaves: list[str]) -> None:
    seen: list[tuple[int, int]] = []
    address = str(write_log(tmp_path, leaves))
    Audit(Auditor(deployment(), address), lambda done, of: seen.append((done, of))).run()
    assert seen == [(number, len(leaves)) for number in range(1, len(leaves) + 1)]
