"""The machine without one of its rules: the adversary has to break each within a stated number of histories.

A mutant is a change of the text of one module of contracts/protocol/judge; its functions are compiled anew in the
module's own namespace, so nothing else is loaded twice.
"""

from __future__ import annotations

from tests.adversary.mutants import ends, epochs, money, people, rounds, seats, words
from tests.adversary.mutants.core import Mutant, histories_until, installed

MUTANTS: dict[str, Mutant] = {
    **rounds.MUTANTS,
    **people.MUTANTS,
    **seats.MUTANTS,
    **words.MUTANTS,
    **ends.MUTANTS,
    **epochs.MUTANTS,
    **money.MUTANTS,
}
"""By what is left out."""

__all__ = ["MUTANTS", "Mutant", "histories_until", "installed"]
