"""Without one of its rules the machine is broken by the adversary, within a stated number of histories.

Each mutant begins where histories show it soon; `python -m benchmarks.adversary --mutants` counts from other seeds.
"""

from __future__ import annotations

import pytest

from tests.adversary.mutants import MUTANTS, Mutant, histories_until, installed
from tests.adversary.sim import STRATEGIES

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", MUTANTS)
def test_the_adversary_breaks_a_machine_without_a_rule(name: str) -> None:
    mutant = MUTANTS[name]
    count, broken = histories_until(mutant, mutant.seeds, mutant.most)
    assert count, f"{mutant.most} histories of {mutant.strategies} do not need it"
    assert broken in mutant.breaks


def test_mutants_are_named_shortly_and_know_their_strategies() -> None:
    for name, mutant in MUTANTS.items():
        assert len(name) <= 60
        assert {name for pair in mutant.strategies for name in pair.split("+")} <= set(STRATEGIES)


def test_a_mutant_leaves_the_machine_as_it_was() -> None:
    name = "one false word voids"
    histories_until(MUTANTS[name], MUTANTS[name].seeds, MUTANTS[name].most)
    unchanged = Mutant("J8", "full_bench", "if len(false) >= k:", "if len(false) >= k :", (), ("liar-on-true",))
    assert histories_until(unchanged, 1, 20) == (0, "")


def test_a_rule_that_has_moved_is_named() -> None:
    with (
        pytest.raises(LookupError, match="full_bench has 0 times"),
        installed(Mutant("J8", "full_bench", "gone", "", (), ())),
    ):
        pass
