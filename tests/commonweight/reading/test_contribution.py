"""`commonweight contribution`: credited by maintainers' signatures, shown in the run, refused once it is over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commonweight.contribution_file import ContributionFile
from commonweight.keystore import write_keystore
from contracts.chain.connection import connect
from tests.commonweight.conftest import PASSPHRASE, Command
from tests.commonweight.reading.town import AUTHOR, HONEST, MAINTAINERS, Town
from tests.deployed import key_of
from verifier.log.settled_weights import NotSettled, settled_weights

pytestmark = pytest.mark.integration


def test_what_is_credited_stands_in_the_runs_document(place: Town) -> None:
    (line,) = place.stage.client.get(f"/runs/{place.stage.run}/contributions")
    assert line.pop("entry") > 0
    assert line == {
        "kind": 1,
        "source": "https://example.org/model.git",
        "subject": "ab" * 20,
        "licence": "Apache-2.0",
        "account": AUTHOR,
        "weight": "5",
        "signers": sorted(key_of(name).address for name in MAINTAINERS),
        "invoice": None,
    }


def test_the_same_again_changes_nothing(place: Town, commonweight: Command) -> None:
    (line,) = place.stage.client.get(f"/runs/{place.stage.run}/contributions")
    said = commonweight("contribution", "submit", place.contribution, "--api", place.stage.api, "--json")
    assert json.loads(said.out)["entry"] == line["entry"]


def test_a_run_that_is_over_credits_nothing(place: Town, commonweight: Command, tmp_path: Path) -> None:
    manifest, file = tmp_path / "manifest.json", tmp_path / "data.json"
    manifest.write_text("{}")
    paid = ("--licence", "CC-BY-4.0", "--account", AUTHOR, "--weight", 3)
    data = ("--run", place.stage.run, "--source", "https://example.org/data", "--manifest", manifest)
    (made,) = commonweight("contribution", "data", file, *data, *paid, "--json").objects
    body = json.loads(file.read_text())
    assert made == body | {"file": str(file)}
    assert body["message"]["subject"].startswith("sha256:44136fa355b3678a")
    assert body["message"]["kind"] == 3
    signed = ContributionFile.load(file)
    for name in MAINTAINERS:
        signed = signed.signed(place.stage.client, key_of(name))
    signed.save(file)
    said = commonweight("contribution", "submit", file, "--api", place.stage.api)
    assert (said.status, said.err.split(":")[0]) == (1, "run-over")


def test_anothers_signature_is_refused_before_it_is_sent(place: Town, commonweight: Command, tmp_path: Path) -> None:
    file = tmp_path / "fix.json"
    body = json.loads(place.contribution.read_text())
    first, second = list(body["signatures"])
    body["signatures"][first] = body["signatures"][second]
    file.write_text(json.dumps(body))
    said = commonweight("contribution", "submit", file, "--api", place.stage.api)
    assert (said.status, said.err.split(":")[0]) == (1, "bad-field")
    file.write_text("[]")
    said = commonweight("contribution", "submit", file, "--api", place.stage.api)
    assert (said.status, said.err.split(":")[0]) == (1, "bad-field")


def test_who_is_no_maintainer_does_not_sign(place: Town, commonweight: Command, tmp_path: Path) -> None:
    """Its signature would count for nothing; one that stands in a file is left out."""
    keystore, file = tmp_path / "other.json", tmp_path / "fix.json"
    write_keystore(keystore, bytes(key_of("somebody").key), PASSPHRASE, iterations=1)
    file.write_text(place.contribution.read_text())
    said = commonweight("contribution", "sign", file, "--keystore", keystore, "--api", place.stage.api)
    assert (said.status, said.err.split(":")[0]) == (1, "not-maintainer")
    assert all(key_of(name).address in said.err for name in MAINTAINERS)
    assert file.read_text() == place.contribution.read_text()
    body = json.loads(file.read_text())
    body["signatures"][key_of("somebody").address] = "0x" + "11" * 65
    file.write_text(json.dumps(body))
    again = commonweight("contribution", "submit", file, "--api", place.stage.api, "--json")
    assert again.status == 0, again.err
    body["signatures"] = {}
    file.write_text(json.dumps(body))
    few = commonweight("contribution", "submit", file, "--api", place.stage.api)
    assert few.err.startswith("not-maintainer: 0 of 2 needed maintainers have signed: ask ")


def test_the_lineage_of_the_weights_names_work_and_code(place: Town, commonweight: Command) -> None:
    run = ("--run", place.stage.run, "--api", place.stage.api)
    rounds = commonweight("model", "lineage", *run, "--round", 2, "--json").objects
    assert [row["round"] for row in rounds] == [1, 2]
    credited = [credit["account"] for row in rounds for credit in row["contributions"]]
    assert credited == [AUTHOR]
    plain = commonweight("model", "lineage", *run, "--round", 2).out
    assert f"trained by {key_of(HONEST).address}" in plain
    assert f"credited {'ab' * 20} (Apache-2.0) to {AUTHOR}" in plain


def test_settled_weights_alone_can_be_released(place: Town, tmp_path: Path, commonweight: Command) -> None:
    """The digest is the log's own, under the log root of an epoch that is final on the chain."""
    stage = place.stage
    w3 = connect(stage.rpc)
    found = settled_weights(stage.client, stage.deployment, w3, stage.run, 2)
    assert (found.round, found.epoch) == (2, 1)
    assert found.theta == stage.client.get(f"/runs/{stage.run}")["outer"]["theta"]
    for number in (3, 9):
        with pytest.raises(NotSettled, match="is not merged"):
            settled_weights(stage.client, stage.deployment, w3, stage.run, number)
    keystore = tmp_path / "poor.json"
    write_keystore(keystore, bytes(key_of("poor").key), PASSPHRASE, iterations=1)
    said = commonweight(
        "gov",
        "release",
        "--keystore",
        keystore,
        "--run",
        stage.run,
        "--round",
        2,
        "--version",
        "1.0.0",
        "--licence",
        "Apache-2.0",
        "--description",
        "first",
        "--api",
        stage.api,
        "--rpc-url",
        stage.rpc,
    )
    assert said.err.startswith("no-votes: "), said.err  # all was checked before, and signed
