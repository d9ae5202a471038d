"""Help, refusals and exit statuses: what holds before anything is reached over a network."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from commonweight import cli
from commonweight import commands as command_package
from commonweight.cli import app
from tests.commonweight.conftest import Command

pytestmark = pytest.mark.unit

(COMMANDS,) = map(Path, command_package.__path__)
RUN, ACCOUNT = "0x" + "ab" * 32, "0x" + "11" * 20


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group with its words."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


ALL = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize(
    ("path", "command"), ALL, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_help_says_what_it_does_and_explains_every_parameter(
    commonweight: Command, path: tuple[str, ...], command: Any
) -> None:
    said = commonweight(*path, "--help")
    assert said.status == 0
    text = " ".join(said.out.split())
    assert " ".join(command.help.split())[:60] in text
    for parameter in command.params:
        assert len(parameter.help or "") > 8, f"{' '.join(path)} {parameter.name} has no help"
        for option in (*parameter.opts, *parameter.secondary_opts):
            assert option in said.out
    for name, inner in getattr(command, "commands", {}).items():
        assert f"│ {name} " in said.out
        assert inner.help, name


def module_of(command: Any) -> Path:
    """Where the function of a command stands, below commonweight/commands/."""
    return Path(inspect.getfile(inspect.unwrap(command.callback))).relative_to(COMMANDS)


DOING = {path: module_of(command) for path, command in ALL if command.callback is not None and path}
"""The module of every command, and of every group that does something alone, by its words."""
MODULES = {path.relative_to(COMMANDS) for path in COMMANDS.rglob("*.py")} - {Path("__init__.py")}
LARGEST_FOLDER = 15


@pytest.mark.parametrize("path", DOING, ids=" ".join)
def test_a_command_stands_in_the_file_of_its_name(path: tuple[str, ...]) -> None:
    """Its own, or that of the group whose commands are all in one file."""
    assert DOING[path].stem in {word.replace("-", "_") for word in path}


def test_every_module_of_commands_is_one_command_or_group() -> None:
    modules = {module for module in MODULES if module.stem != "__init__"}
    assert modules == set(DOING.values())
    for module in modules:
        paths = [path for path, found in DOING.items() if found == module]
        word = module.stem.replace("_", "-")
        assert len(paths) == 1 or {path[0] for path in paths} == {word}, f"{module} holds {paths}"


def test_no_folder_of_commands_is_larger_than_a_screen() -> None:
    for folder in {module.parent for module in MODULES}:
        assert len([module for module in MODULES if module.parent == folder]) - 1 <= LARGEST_FOLDER, folder


SILENT = [path for path, command in ALL if hasattr(command, "commands") and not command.invoke_without_command]
"""Groups that do nothing by themselves: `chain` alone serves one."""


@pytest.mark.parametrize("path", SILENT, ids=" ".join)
def test_a_group_alone_prints_its_commands(commonweight: Command, path: tuple[str, ...]) -> None:
    assert "Commands" in commonweight(*path).out


WRONG = {
    "decide-without-value": (("gov", "propose", "--description", "d", "--decide", "inner_lr"), "must be key=value"),
    "decide-without-key": (("gov", "propose", "--description", "d", "--decide", "=1"), "must be key=value"),
    "description-no-text": (
        ("gov", "propose", "--description", "a\udcff", "--decide", "rounds=9"),
        "must be UTF-8 text",
    ),
    "description-of-a-megabyte": (
        ("gov", "propose", "--description", "a" * 10**6, "--decide", "rounds=9"),
        "must have 1 to 3900 characters",
    ),
    "description-with-anothers-mark": (
        ("gov", "propose", "--description", f"x#proposer={ACCOUNT} y", "--decide", "rounds=9"),
        "must not contain #proposer=",
    ),
    "delegate-not-an-address": (("wallet", "delegate", "--to", "somebody"), "not an address"),
    "nothing-proposed": (("gov", "propose", "--description", "d"), "at least one --decide or --call"),
    "proposal-not-a-number": (("gov", "vote", "0xff", "for"), "not a proposal"),
    "support-unknown": (("gov", "vote", "7", "maybe"), "for, against or abstain"),
    "config-not-json": (("model", "train", "--config", "{seed: 2}"), "not JSON"),
    "config-not-an-object": (("model", "train", "--config", "[1]"), "must be a JSON object"),
    "run-too-short": (("node", "--run", "0x12", "--payout", ACCOUNT), "not a run"),
    "payout-not-an-address": (("node", "--run", RUN, "--payout", ACCOUNT[:-1]), "not an address"),
    "stake-without-deployment": (("model", "stake", "--deployment", "/nowhere.json"), "does not exist"),
    "unknown-option": (("node", "--colour", "red"), "No such option"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_named_and_ends_with_status_2(commonweight: Command, keystore: Path, name: str) -> None:
    arguments, problem = WRONG[name]
    said = commonweight(*arguments, "--keystore", keystore)
    assert said.status == 2
    assert problem in said.err
    assert said.out == ""


def test_a_mistyped_address_is_refused_and_a_lower_case_one_read(commonweight: Command) -> None:
    right = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    said = commonweight("wallet", "claim", right.replace("5aA", "5AA"))
    assert said.status == 2
    assert "wrong checksum" in said.err
    from commonweight.terminal.options import read_address

    assert read_address(right.lower()) == read_address(right) == right


@pytest.mark.parametrize("params", ['{"treshold": 2}', '{"threshold": 2, "model": "x"}'])
def test_a_genesis_parameter_that_does_not_exist_is_named(commonweight: Command, keystore: Path, params: str) -> None:
    named = ("--name", "n", "--symbol", "s", "--verifier", ACCOUNT, "--log-key", "key", "--out", "d.json")
    said = commonweight("model", "deploy", "--keystore", keystore, *named, "--params", params)
    assert said.status == 2
    assert "unexpected keyword" in said.err


def test_a_fault_of_ours_is_not_dressed_up_as_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_help_needs_neither_torch_nor_an_evm() -> None:
    program = (
        "import commonweight.cli, sys;"
        "print([m for m in ('torch', 'eth', 'matplotlib', 'sqlalchemy', 'fastapi') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
