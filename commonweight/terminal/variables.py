"""Environment variables of options that set a field of a process's settings: the option and the field have one.

The settings classes stand in parts that a holder does not install, so the names are written here and in the command;
tests/commonweight/terminal/test_variables.py holds that they are all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import typer
from typer.core import TyperCommand, TyperOption

SERVER = "COMMONWEIGHT_SERVER_"
NODE = "COMMONWEIGHT_NODE_"
VERIFIER = "COMMONWEIGHT_VERIFIER_"
"""The prefixes of a process's variables."""


def with_variables(prefix: str, *same: str, **fields: str) -> type[TyperCommand]:
    """A command whose options are read from variables too: `same` names parameters that are called as their field,
    `fields` the others with their field. The variable of a process goes before one for all processes."""
    field_of = {name: name for name in same} | fields
    variables = {parameter: f"{prefix}{field}".upper() for parameter, field in field_of.items()}

    class WithVariables(TyperCommand):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            for option in self.params:
                if isinstance(option, TyperOption) and option.name in variables:
                    option.envvar = Variables([variables[option.name], *_listed(option.envvar)])
                    if option.multiple:
                        option.value_from_envvar = partial(_list_of, option)  # type: ignore[method-assign]

    return WithVariables


class Variables(list[str]):
    """The variables of an option, the first one that is set counts. A refusal names them in words."""

    def __str__(self) -> str:
        return " or ".join(self)


def _list_of(option: TyperOption, context: typer.Context) -> Any:
    """A list of a variable: parts with a separator between, or a JSON array, as the settings read it."""
    text = option.resolve_envvar_value(context)
    if text is None or not text.startswith("["):
        return type(option).value_from_envvar(option, context)
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"the value is not a JSON array: {error}", context, option) from error


def _listed(variables: str | Sequence[str] | None) -> list[str]:
    return [variables] if isinstance(variables, str) else list(variables or ())
