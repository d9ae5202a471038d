"""What scripts can rely on: every command takes --json, speaks in objects alone, and refuses in one."""

from __future__ import annotations

import ast
import inspect
import json
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from commonweight import commands
from commonweight.cli import app
from commonweight.commands.holder import keys
from commonweight.terminal import console, progress, scripts
from commonweight.terminal.logs import log_to_stderr
from tests.commonweight.conftest import Command

pytestmark = pytest.mark.unit
(COMMANDS,) = map(Path, commands.__path__)
SPEAKS = {"tell", "report_lines", "watch_lines", "run_demo", "log_to_stderr"}
"""What makes an object of news: one of them is reached from every command."""
BARE = {"say", "emit", "print", "echo", "secho", "complain", "mention", "write"}
"""What a command would speak past its objects with."""


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """All that does something: commands, and groups that serve something by themselves."""
    inner = getattr(command, "commands", {})
    if not inner or command.invoke_without_command:
        yield " ".join(path), command
    for name, one in inner.items():
        yield from leaves(one, (*path, name))


ALL = dict(leaves(typer.main.get_command(app)))


# ---- all commands


@pytest.mark.parametrize("name", ALL)
def test_every_command_takes_json(name: str) -> None:
    assert any(scripts.FLAG in parameter.opts for parameter in ALL[name].params)


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_an_object_to_say(name: str) -> None:
    function = inspect.unwrap(ALL[name].callback)
    assert SPEAKS & _reached(Path(inspect.getfile(function)), function.__name__)


@pytest.mark.parametrize("module", sorted(COMMANDS.rglob("*.py")), ids=lambda path: path.stem)
def test_no_command_speaks_past_its_objects(module: Path) -> None:
    for name, called in _calls(module).items():
        assert not BARE & called, name
        assert "console.print" not in called, name


@cache
def _calls(module: Path) -> dict[str, set[str]]:
    """Of each function of a module, the names that it calls or hands on, methods by their own name alone."""
    found = {}
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef):
            names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
            called = [inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call)]
            methods = {ast.unparse(one) for one in called if isinstance(one, ast.Attribute)}
            found[node.name] = names | methods | {one.split(".")[-1] for one in methods if one.startswith("sys.")}
    return found


def _reached(module: Path, function: str) -> set[str]:
    calls = _calls(module)
    seen, rest = set[str](), [function]
    while rest:
        called = calls[rest.pop()]
        rest += [name for name in called & set(calls) if name not in seen]
        seen |= called
    return seen


# ---- refusals


@pytest.mark.parametrize(
    ("arguments", "field", "words"),
    [
        (("wallet", "balance", "me"), "account", "is not an address"),
        (("gov", "vote", "7"), "support", "Missing argument"),
        (("model", "stake", "--deployment", "/nowhere.json"), "deployment", "does not exist"),
        (("gov", "propose", "--keystore", "k", "--description", "d"), "--decide", "at least one"),
        (("node", "--colour", "red"), "--colour", "No such option"),
        (("wallet", "give"), None, "No such command"),
        (("wallet",), None, "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_option_is_an_object(
    commonweight: Command, arguments: tuple[str, ...], field: str | None, words: str
) -> None:
    said = commonweight(*arguments, "--json")
    assert (said.status, said.out, said.complaint["error"]) == (2, "", "wrong-usage")
    assert words in said.complaint["detail"]
    assert said.complaint["help"].endswith("--help")
    assert field is None or field in said.complaint["field"]


def test_a_refusal_is_an_object_and_the_status_the_same(commonweight: Command, tmp_path: Path) -> None:
    asked = ("keys", "address", tmp_path / "none.json")
    for_people, for_scripts = commonweight(*asked), commonweight(*asked, "--json")
    assert for_people.status == for_scripts.status == 1
    detail = for_people.err.removeprefix("keystore-refused: ").removesuffix("\n")
    assert (for_scripts.out, for_scripts.complaint) == ("", {"error": "keystore-refused", "detail": detail})


def test_a_question_that_is_not_answered_is_an_object(
    commonweight: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def gone(*_: Any, **__: Any) -> str:
        raise typer.Abort

    monkeypatch.setattr(keys, "_new_passphrase", gone)
    monkeypatch.delenv("COMMONWEIGHT_PASSPHRASE")
    said = commonweight("keys", "new", "--out", tmp_path / "k.json", "--json")
    assert (said.status, said.complaint["error"]) == (1, "abandoned")


def test_a_value_that_reads_like_the_option_is_a_value(commonweight: Command, keystore: Path) -> None:
    said = commonweight("gov", "release", "--description", "--json", "--keystore", keystore)
    assert said.status == 2
    assert "--run" in said.complaint["detail"], "the refusal is for whoever has --json among the words"


def test_the_option_of_a_group_is_that_of_its_command(commonweight: Command, tmp_path: Path) -> None:
    key = ("currency", "--keystore", tmp_path / "none.json")
    for words in (("chain", "--json", *key), ("chain", *key, "--json")):
        said = commonweight(*words)
        assert (said.status, said.complaint["error"]) == (1, "keystore-refused")


def test_after_a_command_for_scripts_people_are_spoken_to(commonweight: Command) -> None:
    assert commonweight("gov", "powers", "--json").objects[0].keys() == {"call", "words"}
    assert commonweight("gov", "powers").out.startswith("CapitalPool.cancel ")
    assert commonweight("keys", "address", "none.json").err.startswith("keystore-refused: ")


# ---- keys and addresses, that need no chain


def test_keys_give_address_and_log_key_and_no_secret(commonweight: Command, keystore: Path, tmp_path: Path) -> None:
    (made,) = commonweight("keys", "new", "--out", tmp_path / "new.json", "--json").objects
    assert made.keys() == {"address", "keystore"}
    (address,) = commonweight("keys", "address", keystore, "--json").objects
    assert address == {"address": commonweight("keys", "address", keystore).out.strip()}
    (log,) = commonweight("keys", "log-key", keystore, "--json").objects
    assert log == {"log_key": commonweight("keys", "log-key", keystore).out.strip()}


def test_what_lies_in_a_folder_is_an_object_a_part(commonweight: Command, tmp_path: Path) -> None:
    (tmp_path / "told.json").write_text("{}")
    (tmp_path / "other").write_text("mine")
    parts = commonweight("disk", tmp_path, "--json").objects
    assert {part["part"]: (part["files"], part["size"]) for part in parts} == {
        "told.json": (1, 2),
        "(other files)": (1, 4),
    }


def test_grants_of_a_role_are_an_object_a_statement(commonweight: Command) -> None:
    statements = [one["statement"] for one in commonweight("db", "grants", "server", "--json").objects]
    assert statements == commonweight("db", "grants", "server").out.splitlines()


# ---- what is said beside the result


@pytest.mark.usefixtures("spoken")
def test_logs_progress_and_weather_are_objects(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    log_to_stderr()
    try:
        logging.getLogger("api").info("round 1 opens")
    finally:
        logging.getLogger().handlers[:] = []
    progress.Progress("entries read")(10**17, 10**18)
    console.complain_of_weather("the chain node does not answer")
    said = capsys.readouterr()
    log, steps, weather = map(json.loads, said.err.splitlines())
    assert (said.out, log["text"], log["level"]) == ("", "round 1 opens", "info")
    assert steps == {"event": "progress", "what": "entries read", "done": str(10**17), "of": str(10**18)}
    assert weather == {"event": "weather", "detail": "the chain node does not answer"}


def test_warnings_of_a_command_without_a_log_are_objects(
    commonweight: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    commonweight("gov", "powers", "--json")
    logging.getLogger("trainer.client").warning("%s does not answer", "http://here")
    said = json.loads(capsys.readouterr().err)
    assert (said["text"], said["level"]) == ("http://here does not answer", "warning")
    commonweight("gov", "powers")
    logging.getLogger("trainer.client").warning("plain")
    assert not capsys.readouterr().err.startswith("{")


@pytest.mark.usefixtures("spoken")
def test_numbers_that_readers_would_round_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.tell({"few": 2**53 - 1, "more": 2**53, "less": -(2**60), "on": True, "deep": [{"x": 2**64}]}, ())
    console.tell({"error": float("inf"), "limit": float("nan"), "loss": 2.5}, ())
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {
        "few": 2**53 - 1,
        "more": "9007199254740992",
        "less": str(-(2**60)),
        "on": True,
        "deep": [{"x": str(2**64)}],
    }
    assert second == '{"error": null, "limit": null, "loss": 2.5}'


@pytest.mark.usefixtures("spoken")
def test_lines_are_not_made_and_a_list_is_an_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    console.tell(({"n": n} for n in (1, 2)), (1 / 0 for _ in "x"))  # type: ignore[misc]
    console.tell((), ["nothing"])
    console.say("a word without fields")
    assert capsys.readouterr().out == '{"n": 1}\n{"n": 2}\n{"text": "a word without fields"}\n'
