"""A contribution from the file to the epoch that pays it, as `contribution show` and `list` tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commonweight.contribution_file import ContributionFile
from commonweight.keystore import write_keystore
from contracts.messages.signatures import sign as sign_message
from contracts.protocol.maintainers import Maintainers
from tests.commonweight.conftest import PASSPHRASE, Command
from tests.commonweight.standing.online import Online, online
from tests.deployed import key_of
from tests.house import House

pytestmark = pytest.mark.integration
AUTHOR = key_of("author").address
MIA, MO, STRANGER = (key_of(name) for name in ("mia", "mo", "stranger"))
PAID = ("--licence", "MIT", "--account", AUTHOR, "--weight", 5)


def run_of(house: House) -> str:
    return "0x" + house.run.run.hex()


def told(place: Online, *words: object) -> list[dict[str, Any]]:
    said = place.command("contribution", *words, "--api", place.api, "--json")
    assert said.status == 0, said.err
    return [json.loads(line) for line in said.out.splitlines()]


def sign(place: Online, file: Path, name: Any) -> None:
    key = file.with_name(f"{name.address}.json")
    if not key.exists():
        write_keystore(key, bytes(name.key), PASSPHRASE, iterations=1)
    assert place.command("contribution", "sign", file, "--keystore", key, "--api", place.api).status == 0


def draft(place: Online, file: Path, commit: str, account: str = AUTHOR) -> None:
    source = ("--run", run_of(place.house), "--repo", "https://example.org/model.git", "--commit", commit)
    paid = [account if word == AUTHOR else word for word in PAID]
    assert place.command("contribution", "code", file, *source, *paid).status == 0


def test_who_signed_who_is_missing_and_which_epoch_pays(tmp_path: Path, commonweight: Command) -> None:
    file, again = tmp_path / "fix.json", tmp_path / "again.json"
    with House(tmp_path / "house") as house:
        house.become_holders()
        with online(house, commonweight) as place:
            draft(place, file, "ab" * 20)
            assert told(place, "show", file)[0]["state"] == "no-maintainers"
            members = tuple(sorted((MIA.address, MO.address)))
            decide = house.ledger.chain.models.decide
            named = decide(house.ledger.chain.model, b"\1" * 32, "maintainers", str(Maintainers(2, members)))
            longer = decide(house.ledger.chain.model, b"\2" * 32, "rounds", "4")
            house.enact(house.wallets[0], named, longer)
            house.step(3)
            house.play_round()  # the next one opens with them
            (unsigned,) = told(place, "show", file)
            assert (unsigned["state"], unsigned["missing_signers"]) == ("unsigned", list(members))
            assert "until the epoch of the run's last round, 4, closes (now round 3)" in unsigned["sentence"]
            body = json.loads(file.read_text())  # the command refuses who is no maintainer
            theirs = sign_message(ContributionFile.load(file).message, house.ledger.chain.domain, bytes(STRANGER.key))
            body["signatures"][STRANGER.address] = "0x" + theirs.hex()
            file.write_text(json.dumps(body))
            sign(place, file, MO)
            (missing,) = told(place, "show", file)
            assert (missing["state"], missing["signers"]) == ("missing", [MO.address])
            assert (missing["missing_signers"], missing["strangers"]) == ([MIA.address], [STRANGER.address])
            body = json.loads(file.read_text())
            body["signatures"].pop(STRANGER.address)
            file.write_text(json.dumps(body))
            sign(place, file, MIA)
            assert told(place, "show", file)[0]["state"] == "ready"
            (handed_in,) = told(place, "submit", file)
            (credited,) = told(place, "show", file)
            assert (credited["state"], credited["id"]) == ("credited", handed_in["contribution"])
            assert credited["signers"] == list(members)
            draft(place, again, "ab" * 20, account=STRANGER.address)
            (taken,) = told(place, "show", again)
            assert taken["state"] == "taken"
            assert told(place, "show", credited["id"]) == [credited]
            assert f"commonweight contribution show {credited['id']}" == taken["command"]
            house.play_round()
            (paid,) = told(place, "list", "--run", run_of(house))
            assert (paid["state"], paid["epoch"], paid["account"]) == ("in-epoch", 3, AUTHOR)
            plain = place.command("contribution", "list", "--api", place.api).out
            assert credited["id"] in plain
            unknown = place.command("contribution", "show", "0x" + "77" * 32, "--api", place.api)
            assert (unknown.status, unknown.err.split(":")[0]) == (1, "contribution-unknown")
            nothing = place.command("contribution", "show", tmp_path / "none.json", "--api", place.api)
            assert (nothing.status, nothing.err.split(":")[0]) == (1, "bad-field")
