"""The mixture of a run's sources of text: how many of every so many windows come from each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from contracts.errors import CommonweightError

MOST_SOURCES = 32
MOST_WEIGHT = 1_000_000
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
"""Names of sources, as an index and a mixture spell them."""
_LONGEST = MOST_SOURCES * len("x" * 32 + ":1000000,")
_PART = re.compile(r"([a-z0-9][a-z0-9_.-]{0,31}):([1-9][0-9]{0,6})")


class InvalidMixture(CommonweightError):
    """The text names no mixture of sources."""

    code = "invalid-mixture"
    status = 422


def parse_mixture(text: object) -> dict[str, int]:
    """Weight by source, of "name:weight,name:weight", sorted by name; "" is no mixture. Raises InvalidMixture."""
    if text == "":
        return {}
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise InvalidMixture(f"must be text of at most {_LONGEST} characters")
    parts = [_PART.fullmatch(part) for part in text.split(",")]
    found = {part[1]: int(part[2]) for part in parts if part is not None}
    if len(found) != len(parts) or len(parts) > MOST_SOURCES or max(found.values()) > MOST_WEIGHT:
        raise InvalidMixture(
            f"must name at most {MOST_SOURCES} sources, each once, with weights of 1 to {MOST_WEIGHT}: code:2,prose:8"
        )
    if list(found) != sorted(found):
        raise InvalidMixture("must be sorted by name, so that equal mixtures are spelled alike")
    return found


def weights_of(mixture: Mapping[str, int], tokens: Mapping[str, int]) -> list[int]:
    """The weight of each source of a corpus, in its order; without a mixture, each by its tokens.

    Names that the corpus does not have count for nothing, and a mixture of such names alone is none: holders who
    misspell a name stop no run.
    """
    known = [mixture.get(name, 0) for name in tokens]
    return known if any(known) else list(tokens.values())


def shares(weights: Sequence[int], total: int) -> list[int]:
    """`total` as whole shares by weight, of the largest remainder (Hamilton's method); earlier ones first on a tie."""
    whole = sum(weights)
    found = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in by_remainder[: total - sum(found)]:
        found[place] += 1
    return found
