"""The list of seeded bugs fits the sources: no forge is run."""

from __future__ import annotations

import pytest

from tests.foundry.forge import ROOT, ForgeRefused, filters, seeded
from tests.foundry.mutants import MUTANTS, SLICE
from tests.removed_checks.mutants import Mutant

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", MUTANTS)
def test_the_place_of_a_bug_is_there_once_and_its_tests_exist(name: str) -> None:
    mutant = MUTANTS[name]
    assert seeded(mutant, (ROOT / mutant.path).read_text()) != (ROOT / mutant.path).read_text()
    assert len(filters(mutant)) == 4
    for test in mutant.tests:
        path, function = test.split("::")
        assert f"function {function}(" in (ROOT / path).read_text()


def test_a_bug_whose_place_has_gone_is_not_passed_over() -> None:
    gone = Mutant("contracts/solidity/ModelToken.sol", "if (never)", "", ())
    with pytest.raises(ForgeRefused, match="update the mutant"):
        seeded(gone, "contract ModelToken {}")


def test_the_slice_is_of_the_list() -> None:
    assert set(SLICE) <= set(MUTANTS)
