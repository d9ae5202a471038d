"""What led to weights: rounds in their order, each with the work that was merged and what holders decided for it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.databases import fresh_database
from tests.house import House, check_refused

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def house(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Two rounds are merged, the first is paid, and the third opened with what was decided in the second."""
    folder = tmp_path_factory.mktemp("lineage")
    with fresh_database(database_kind, folder) as url, House(folder, database=url) as made:
        made.start(rounds=3, nodes=2)
        made.play_round()
        made.settle_epoch()
        for wallet in made.wallets:
            made.claim(wallet.address)
        made.wait(2)
        proposal = made.propose(made.wallets[0], "clip it", [("clip", "2"), ("outer_lr", "0.5")])
        made.carry(proposal)
        made.play_round()
        yield made


def test_each_round_follows_from_the_one_before(house: House) -> None:
    rounds = house.get(f"/runs/0x{house.run.run.hex()}/lineage")
    assert [row["round"] for row in rounds] == [1, 2, 3]
    assert [row["from"] for row in rounds[1:]] == [row["weights"] for row in rounds[:-1]]
    assert rounds[2]["weights"] is None
    for row in rounds[:2]:
        entry = json.loads(house.get("/log/entries", start=row["merged_at"], limit=1)["entries"][0]["body"])
        assert (entry["kind"], entry["round"], entry["theta"]) == ("round-merged", row["round"], row["weights"])
        assert {proof["node"] for proof in row["proofs"]} == {node.address for node in house.run.nodes}
        assert all(int(proof["work"]) > 0 for proof in row["proofs"])


def test_decisions_stand_at_the_round_that_opened_with_them(house: House) -> None:
    rounds = house.get(f"/runs/0x{house.run.run.hex()}/lineage")
    decided = [[(d["key"], d["value"]) for d in row["decisions"]] for row in rounds]
    assert decided == [[], [], [("clip", "2"), ("outer_lr", "0.5")]]
    assert rounds[0]["config_digest"] == rounds[1]["config_digest"] != rounds[2]["config_digest"]


def test_the_epoch_that_pays_a_round_is_named(house: House) -> None:
    rounds = house.get(f"/runs/0x{house.run.run.hex()}/lineage")
    epochs = [row["epoch"] and (row["epoch"]["epoch"], row["epoch"]["state"], row["epoch"]["ours"]) for row in rounds]
    assert epochs == [(1, "final", True), (2, "closed", None), None]
    assert rounds[0]["epoch"]["log_size"] > rounds[0]["merged_at"]


def test_pages_and_runs_that_are_none(house: House) -> None:
    path = f"/runs/0x{house.run.run.hex()}/lineage"
    assert [row["round"] for row in house.get(path, first=2, limit=1)] == [2]
    assert house.get(path, first=9) == []
    check_refused(house.client.get(f"/v1/runs/0x{'7' * 64}/lineage"), 404, "not-found")
