"""`commonweight verify`: real proofs replayed from their saved folders, where there is no network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from contracts.protocol.log.codec import canonical
from tests.commonweight.conftest import Command, Said
from tests.commonweight.reading.town import CHEAT, HONEST, Town

pytestmark = pytest.mark.integration


def replay(place: Town, commonweight: Command, folder: Path) -> tuple[Said, dict[str, Any]]:
    options = ("--deployment", place.deployment, "--data", place.stage.text, "--json")
    said = commonweight("verify", folder, *options)
    return said, json.loads(said.out) if said.out else {}


def test_honest_work_replays_and_every_word_was_right(place: Town, commonweight: Command) -> None:
    said, found = replay(place, commonweight, place.saved[HONEST])
    assert (said.status, found["outcome"], found["decided"]) == (0, "right", "posted"), said
    words = [word for segment in found["segments"] for word in segment["words"]]
    assert words
    assert all((word["word"], word["right"]) == ("true", True) for word in words)


def test_a_cheat_is_shown_to_be_one(place: Town, commonweight: Command) -> None:
    said, found = replay(place, commonweight, place.saved[CHEAT])
    assert (said.status, found["outcome"]) == (0, "right"), said
    assert found["decided"].startswith("voided (replay-mismatch, segment ")
    false = [segment for segment in found["segments"] if segment["replay"] == "false"]
    assert false
    assert all(segment["error"] > segment["limit"] for segment in false)
    heard = [word for segment in false for word in segment["words"]]
    assert {(word["word"], word["right"]) for word in heard} == {("false", True)}


def test_it_is_explained_at_the_terminal(place: Town, commonweight: Command) -> None:
    said = commonweight("verify", place.saved[CHEAT], "--data", place.stage.text)
    assert said.status == 0
    assert ": false (replay-mismatch), right" in said.out
    assert "right: what was said and decided is what the replays give" in said.out


def spoiled(place: Town, tmp_path: Path) -> Path:
    return shutil.copytree(place.saved[HONEST], tmp_path / "spoiled")


def test_without_its_files_it_cannot_be_told(place: Town, commonweight: Command, tmp_path: Path) -> None:
    folder = spoiled(place, tmp_path)
    for file in (folder / "blobs").iterdir():
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    said, found = replay(place, commonweight, folder)
    assert (said.status, found["outcome"]) == (2, "untold")
    assert all(segment["detail"].startswith("bytes-missing") for segment in found["segments"])


def test_an_entry_that_the_log_does_not_have_is_refused(place: Town, commonweight: Command, tmp_path: Path) -> None:
    folder = spoiled(place, tmp_path)
    saved = json.loads((folder / "proof.json").read_text())
    posted = next(entry for entry in saved["entries"] if json.loads(entry["body"])["kind"] == "posted")
    posted["body"] = canonical(json.loads(posted["body"]) | {"tokens": 1})
    (folder / "proof.json").write_text(json.dumps(saved))
    said, _ = replay(place, commonweight, folder)
    assert (said.status, said.complaint["error"]) == (1, "invalid-merkle-proof")


def test_a_proof_is_read_from_the_log_and_an_unknown_one_refused(
    place: Town, commonweight: Command, tmp_path: Path
) -> None:
    """The run is over, so that its files may be gone; what the log says of it is there for ever."""
    folder = tmp_path / "bundle"
    options = ("--api", place.stage.api, "--bundle", folder, "--data", place.stage.text)
    said = commonweight("verify", place.proofs[HONEST], *options)
    assert said.status in (0, 2), said.err
    assert "by the log it is posted" in said.out
    saved = json.loads((folder / "proof.json").read_text())
    before = json.loads((place.saved[HONEST] / "proof.json").read_text())
    assert {entry["body"] for entry in before["entries"]} <= {entry["body"] for entry in saved["entries"]}
    said = commonweight("verify", "0x" + "12" * 32, *options)
    assert (said.status, said.err.split(":")[0]) == (1, "proof-unknown")
    assert commonweight("verify", tmp_path).err.split(":")[0] == "bundle-incomplete"
