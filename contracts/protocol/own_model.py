"""A model of one's own: the Python package that a run names, and what the run tells it. Known without torch.

A name and a digest in a run make nobody fetch or run anything: who takes part has the package installed, and its files
have this digest (trainer/model/own/).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from contracts.errors import CommonweightError

PACKAGE = re.compile(r"[a-z_][a-z0-9_]{0,63}")
LONGEST_SETTINGS = 2_000
"""Characters of the text of a model's settings."""
MOST_NESTED = 16
"""Lists and objects inside each other in the settings."""
RESERVED = ("vocab", "context")
"""Settings that are fields of the run itself."""
_NONE = "00" * 32
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


class InvalidOwnModel(CommonweightError):
    """What a run says of its own model does not name one; `field` is that of the RunConfig."""

    code = "invalid-own-model"
    status = 422

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem


def check_own_model(package: object, digest: object, settings: object, sizes: Mapping[str, int]) -> None:
    """Check the fields of a run of the architecture `own`. Raises InvalidOwnModel, naming the remedy."""
    if package == "":
        raise InvalidOwnModel("model_package", "is missing: it names the Python package of the run's model")
    if not isinstance(package, str) or not PACKAGE.fullmatch(package):
        raise InvalidOwnModel("model_package", "must be a package's name: lower case, digits and _, at most 64")
    if digest == _NONE:
        remedy = f"`commonweight model digest {package}` prints it"
        raise InvalidOwnModel(
            "model_digest", f"is missing: a run names the digest of its package's files, and {remedy}"
        )
    parse_settings(settings)
    for name, size in sizes.items():
        if not size:
            raise InvalidOwnModel(name, "is missing: `commonweight model train` measures it")


def parse_settings(text: object) -> dict[str, Any]:
    """A model's settings, of their canonical JSON; "" is none. Raises InvalidOwnModel."""
    if text == "":
        return {}
    if not isinstance(text, str) or len(text) > LONGEST_SETTINGS:
        raise InvalidOwnModel("model_config", f"must be text of at most {LONGEST_SETTINGS} characters")
    if _nested(text) > MOST_NESTED:
        raise InvalidOwnModel("model_config", f"must have at most {MOST_NESTED} lists and objects inside each other")
    try:
        found = json.loads(text)
        canonical = settings_text(found) if isinstance(found, dict) else ""
    except ValueError as error:
        raise InvalidOwnModel("model_config", f"is not JSON: {error}") from error
    if text != canonical:
        raise InvalidOwnModel("model_config", "must be a JSON object, keys sorted, no spaces, ASCII: one text for each")
    for name in RESERVED:
        if name in found:
            raise InvalidOwnModel("model_config", f"must not have {name!r}, which is a field of the run")
    return dict(found)


def _nested(text: str) -> int:
    """How deep brackets stand in each other, those in strings aside. Python's own bound is no rule: it counts the
    caller's frames, so that one process would refuse a run that another one takes."""
    deepest = depth = 0
    for mark in re.findall(r"[\[{\]}]", _STRING.sub("", text)):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def settings_text(settings: Mapping[str, Any]) -> str:
    """The canonical JSON of a model's settings; "" for none. Raises ValueError for NaN and infinity."""
    if not settings:
        return ""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
