"""What a node and a verifier keep of rounds that are over: the log, and nothing else that grows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from commonweight.kept import RULES, WITH_LOG, kept, rule_of
from tests.verifier.long_run import long_run, sizes
from verifier.mirror.store import database
from verifier.settings import MERGED

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]


def files(folder: Path) -> set[str]:
    """Names of what does not grow with the log, digests left out: each round has others."""
    plain = (name for name in sizes(folder) if not name.endswith(("-wal", "-shm")))
    return {name for name in plain if rule_of(name) is None or rule_of(name).until != WITH_LOG}  # type: ignore[union-attr]


def test_rounds_that_are_over_leave_the_log_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SYNCHRONOUS", "OFF")
    seen: dict[str, list[set[str]]] = {"node": [], "verifier": []}
    with long_run(tmp_path, rounds=6) as run:

        def note(_: int) -> None:
            for who, found in seen.items():
                found.append(files(run.folder_of(who)))

        merged = run.processes[0].settings.folder / MERGED / "0123456789abcdef-1"
        merged.mkdir(parents=True)
        (merged / ("ab" * 32)).write_bytes(b"a merge that others were quicker with")
        run.play(6, note)
        for who, found in seen.items():
            new = [found[place] - found[place - 1] for place in (1, 2)]
            assert sorted(set.union(*new) & found[5]) == [], f"files of rounds 2 and 3 that {who} keeps"
            strange = [name for name in sizes(run.folder_of(who)) if rule_of(name) is None]
            assert strange == [], f"{who} writes what no rule names"
        assert not merged.exists()
        jobs = run.processes[0]._app.jobs.rows.listed()
        assert len({job.key.subject for job in jobs}) <= 6, "jobs of rounds that are over"


def test_each_part_has_a_rule_and_is_shown(tmp_path: Path) -> None:
    for rule in RULES:
        path = tmp_path / (rule.begins + "file" if rule.begins.endswith("/") else rule.begins)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    (tmp_path / "notes.txt").write_bytes(b"1")
    lines = kept(tmp_path)
    assert {line.part for line in lines} == {rule.begins for rule in RULES} | {"(other files)"}
    assert sum(line.size for line in lines) == 5 * len(RULES) + 1
    assert rule_of("said.db-wal") == rule_of("said.db")
    assert rule_of(f"said.db.0123{os.extsep}part") == rule_of("said.db")
    assert rule_of("said.database") is None
