"""Every cheat of the catalogue as a real node beside an honest one: it ends as the catalogue says and earns nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.stage import CANARY, HONEST, RESTARTED, TINY, Stage, perform, served
from trainer.cheats import CHEATS

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
HASTY = frozenset({"withheld", "stale-start", "replayed-round"})


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as monkeypatch, served(tmp_path_factory.mktemp("attacks")) as made:
        perform(made, sorted(CHEATS), HASTY, monkeypatch)
        yield made


@pytest.mark.parametrize("name", sorted(CHEATS))
def test_a_cheat_ends_as_the_catalogue_says_and_earns_nothing(name: str, stage: Stage) -> None:
    cheat, actor = CHEATS[name], stage.actors[name]
    end = actor.refusal if cheat.refused else actor.line.get("reason")
    assert end == cheat.outcome, f"refusal {actor.refusal}, proof {actor.line}, {stage.told(actor)}"
    assert cheat.refused or actor.line["state"] == "voided"
    assert actor.line.get("state") != "posted"
    assert stage.credit(actor) == 0


def test_a_canary_is_found_is_not_paid_and_says_so_itself(stage: Stage) -> None:
    actor = stage.actors[CANARY]
    assert (actor.line.get("state"), actor.line.get("reason")) == ("voided", "replay-mismatch"), stage.told(actor)
    assert stage.pledge(actor)["message"]["fake"] < TINY["steps"] // TINY["segment"]
    assert stage.credit(actor) == 0


@pytest.mark.parametrize("name", [HONEST, RESTARTED, f"{HONEST} in haste"])
def test_the_honest_node_beside_them_is_posted_and_credited(name: str, stage: Stage) -> None:
    actor = stage.actors[name]
    assert (actor.refusal, actor.line.get("state")) == (None, "posted"), stage.told(actor)
    assert stage.credit(actor) >= actor.line["work"] > 0
