"""`commonweight audit` of a real run: from the server, from a mirror, and from files, with and without a chain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.mirrors.places import LogUnreadable, Place, open_place
from contracts.mirrors.reading import LogReader
from contracts.protocol.log.operator import LogSigner
from contracts.tlog.policy_text import parse_policy
from contracts.tlog.tiles import Tile, tile_of, tiles_of
from tests.commonweight.conftest import Command
from tests.commonweight.reading.town import Town
from tests.deployed import key_of

pytestmark = pytest.mark.integration


def mirror_of(place: Town, number: int = 0) -> str:
    listed = place.stage.client.get("/mirrors")["mirrors"]
    return str(listed[number]["url"])


def test_a_sound_log_holds_against_ones_own_chain(place: Town, commonweight: Command, tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    chain = ("--rpc-url", place.stage.rpc, "--policy", policy)
    said = commonweight("audit", "--deployment", place.deployment, "--log", place.stage.api, *chain)
    assert said.status == 0, said.err
    for line in ("blocks: ", "roots: 1 final epochs have the root", "mirrors: 3 of 3 verifiers have signed this log"):
        assert f"holds        {line}" in said.out
    assert said.out.count("not checked") == 1
    parsed = parse_policy(policy.read_bytes())
    verifiers = place.stage.client.network.verifiers
    assert [witness.name for witness in parsed.witnesses] == sorted(verifiers)
    assert parsed.groups[0].threshold == 2


def test_an_audit_of_a_mirror_says_the_same_and_what_is_left(place: Town, commonweight: Command) -> None:
    """What is left is what no chain was asked for."""
    said = commonweight("audit", "--deployment", place.deployment, "--log", mirror_of(place), "--json")
    assert said.status == 0, said.err
    found = json.loads(said.out)
    assert found["findings"] == []
    assert sum("--rpc-url" in line for line in found["unchecked"]) == 3
    assert any(line.startswith("mirrors: 3 of 3") for line in found["holds"])


def copied(place: Town, folder: Path) -> LogReader:
    """A log as files, as anybody may copy it."""
    log = place.stage.deployment.log_key()
    source = open_place(place.stage.api, log)
    reader = LogReader(source, log)
    (folder / "checkpoint").write_bytes(reader.note.format())
    for tile in tiles_of(reader.size):
        both = (tile, tile_of(0, tile.index, reader.size, entries=True)) if tile.level == 0 else (tile,)
        for one in both:
            _write(source, folder, one)
    return reader


def _write(source: Place, folder: Path, tile: Tile) -> None:
    path = folder / tile.path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source.tile(tile))


def test_files_give_the_same_and_a_changed_one_is_refused(place: Town, commonweight: Command, tmp_path: Path) -> None:
    reader = copied(place, tmp_path)
    said = commonweight("audit", "--deployment", place.deployment, "--log", tmp_path)
    assert said.status == 0, said.err
    assert f"entries: all {reader.size} follow" in said.out
    bundle = next((tmp_path / "tile/entries").glob("000*"))
    bundle = next(bundle.iterdir()) if bundle.is_dir() else bundle
    bundle.write_bytes(bundle.read_bytes().replace(b'"word":1', b'"word":2', 1))
    said = commonweight("audit", "--deployment", place.deployment, "--log", tmp_path)
    assert (said.status, said.err.split(":")[0]) == (1, "invalid-tile")


def test_two_logs_of_one_operator_are_a_finding(place: Town, commonweight: Command, tmp_path: Path) -> None:
    """The head that was kept is of another log, which the operator signed as well."""
    kept = tmp_path / "head"
    kept.write_bytes(LogSigner.of(bytes(key_of("operator").key)).head(5, b"\5" * 32).format())
    place_ = ("--deployment", place.deployment, "--log", place.stage.api, "--head", kept)
    said = commonweight("audit", *place_)
    assert said.status == 1
    assert f"FINDING      the head in {kept} is of another log" in said.out
    assert said.err.startswith("audit-failed: the head in")
    found = json.loads(commonweight("audit", *place_, "--json").out)
    assert found["findings"][0]["evidence"]["smaller"] == kept.read_text()


def test_an_address_without_a_log_is_refused(place: Town, commonweight: Command, tmp_path: Path) -> None:
    said = commonweight("audit", "--deployment", place.deployment, "--log", tmp_path)
    assert (said.status, said.err.split(":")[0]) == (1, "log-unreadable")
    with pytest.raises(LogUnreadable, match="serves no log"):
        open_place(f"{place.stage.api}/v1", place.stage.deployment.log_key())
