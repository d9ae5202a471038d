"""Every cheat of the catalogue beside honest nodes: it ends as the catalogue says and earns nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.trained import CANARY, HONEST, RESTARTED, Theatre, performed
from tests.holds import Threat, holds
from trainer.cheats import CHEATS, copying

pytestmark = pytest.mark.integration
LATE = ("replayed-round", "stale-start")
"""They live on the round before theirs."""


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    crowd = sorted(set(CHEATS) - set(LATE))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(copying, "PATIENCE_SECONDS", 0)  # who is copied has committed before
        with performed(tmp_path_factory.mktemp("attacks"), crowd, list(LATE)) as made:
            yield made


@holds(
    "Every cheat of the catalogue earns nothing",
    by="verifier/replay/replaying.py:judge_segment",
    against=Threat.FALSE_WORK,
)
@pytest.mark.parametrize("name", sorted(CHEATS))
def test_a_cheat_ends_as_the_catalogue_says_and_earns_nothing(name: str, theatre: Theatre) -> None:
    cheat, actor = CHEATS[name], theatre.actors[name]
    found = actor.refused[0] if cheat.refused and actor.refused else actor.end
    assert found == cheat.outcome, f"refused {actor.refused}, ended {actor.end}"
    assert actor.end != "posted"
    assert theatre.credit(name) == 0


@pytest.mark.parametrize("name", sorted(CHEATS))
def test_a_void_cheat_is_at_fault(name: str, theatre: Theatre) -> None:
    """It would lose its stake, if it had one; what never came to be read costs nobody anything."""
    view = theatre.shown(name)
    assert (view is None) == (theatre.actors[name].end in ("", "out"))
    assert view is None or view["at_fault"] is True


def test_a_canary_is_found_is_not_paid_and_not_at_fault(theatre: Theatre) -> None:
    view = theatre.shown(CANARY)
    assert view is not None
    assert (view["reason"], view["at_fault"]) == ("canary", False)
    assert theatre.credit(CANARY) == 0


@holds(
    "Honest work beside the cheats is paid",
    by="contracts/protocol/judge/rules/verdicts.py:due_end",
    against=Threat.FALSE_WORK,
)
@pytest.mark.parametrize(("name", "rounds"), [(HONEST, 2), (RESTARTED, 1)])
def test_the_honest_nodes_beside_them_are_posted_and_credited(name: str, rounds: int, theatre: Theatre) -> None:
    """Who was restarted opens what it computed anew."""
    assert (theatre.actors[name].refused, theatre.actors[name].end) == ([], "posted")
    assert theatre.credit(name) == rounds * theatre.config.tokens_per_round
