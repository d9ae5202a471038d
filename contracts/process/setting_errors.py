"""Errors in the settings of a process, by field, variable and remedy.

CommonweightError
├── MissingSetting   settings without which the process cannot start
└── InvalidSetting   a value that the setting does not take, or a key that is not kept as keys are
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import ValidationError

from contracts.errors import CommonweightError

PAGE = "docs/settings.md"


class MissingSetting(CommonweightError):
    """A setting without which the process cannot start."""

    code = "missing-setting"


class InvalidSetting(CommonweightError):
    """A value that a setting does not take, or a key that others can read."""

    code = "invalid-setting"
    status = 500


def as_setting_error(
    error: ValidationError, variable_of: Callable[[str], str], keys: Collection[str]
) -> CommonweightError:
    """MissingSetting with all variables that are to be set, else InvalidSetting for the first bad value, unless it is
    that of one of the `keys`."""
    problems = error.errors(include_url=False)
    absent = [variable_of(_field(problem)) for problem in problems if problem["type"] == "missing"]
    if absent:
        return MissingSetting(f"the process cannot start without {', '.join(absent)}: set them ({PAGE})")
    first = problems[0]
    name = _field(first)
    if first["type"] == "extra_forbidden":
        return InvalidSetting(f"{name} is no setting; {PAGE} lists them")
    value = "a key that is none" if name in keys else repr(first["input"])
    return InvalidSetting(f"{name} ({variable_of(name)}) is {value}: {_said(first)}; {PAGE} says what it takes")


def _field(problem: Mapping[str, Any]) -> str:
    return str(problem["loc"][0])


def _said(problem: Mapping[str, Any]) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
