"""Whether a command that a sentence names could be pasted: it exists, with these options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import typer

from commonweight.cli import app
from commonweight.standing.sentence import Sentence, helper, told


def check_command(line: str) -> None:
    """The words lead to a command of ours that has the options of the line."""
    program, *words = shlex.split(line)
    assert program == "commonweight", line
    found: Any = typer.main.get_command(app)
    while words and hasattr(found, "commands") and words[0] in found.commands:
        found = found.commands[words.pop(0)]
    assert not hasattr(found, "commands"), f"{line} is no command"
    options = {name for parameter in found.params for name in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= options, line


def check_table(states: type[StrEnum], table: Mapping[StrEnum, Sentence], values: Mapping[str, Any]) -> None:
    """One sentence for each state and for nothing else, each another, each with a command that exists."""
    assert set(table) == set(states)
    sentences = {told(table, state, values) for state in states}
    assert len(sentences) == len(states)
    for sentence in sentences:
        assert sentence[0].isupper(), sentence
        assert sentence.endswith("."), sentence
    for state in states:
        check_command(helper(table, state, values))
