"""An option that sets a field of a process's settings is read from that field's variable, and goes before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from api.settings import ServerSettings
from commonweight.cli import app
from contracts.process.settings import ProcessSettings
from tests.commonweight.conftest import Command
from trainer.node.settings import NodeSettings
from verifier.settings import VerifierSettings

pytestmark = pytest.mark.unit
PROCESSES: dict[tuple[str, ...], type[ProcessSettings]] = {
    ("serve",): ServerSettings,
    ("keeper",): ServerSettings,
    ("fsck",): ServerSettings,
    ("node",): NodeSettings,
    ("verifier", "run"): VerifierSettings,
}
FIELD = {"api": "api_url", "allow_origin": "allow_origins"}
"""Of options that are not called as their field."""
NOT_THE_SAME = {("node", "device"), ("serve", "folder"), ("keeper", "folder"), ("fsck", "folder")}
RUN, ACCOUNT = "0x" + "ab" * 32, "0x" + "11" * 20


def options(path: tuple[str, ...]) -> list[Any]:
    command: Any = typer.main.get_command(app)
    for word in path:
        command = command.commands[word]
    return [option for option in command.params if option.opts[0].startswith("-")]


@pytest.mark.parametrize("path", PROCESSES, ids=" ".join)
def test_every_option_of_a_field_has_its_variable_first(path: tuple[str, ...]) -> None:
    kind, seen = PROCESSES[path], 0
    for option in options(path):
        field = FIELD.get(option.name, option.name)
        variables = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
        if field in kind.model_fields and (path[0], option.name) not in NOT_THE_SAME:
            assert variables[:1] == [kind.variable_of(field)], option.name
            seen += 1
        else:
            assert not [name for name in variables if name.startswith(kind.model_config["env_prefix"])], option.name
    assert seen >= 4


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    file = tmp_path / "deployment.json"
    file.write_text("{}")
    return file


def node(commonweight: Command, deployment: Path, *more: object) -> Any:
    return commonweight(
        "node", "--run", RUN, "--payout", ACCOUNT, "--deployment", deployment, "--keystore", "none.json", *more
    )


def test_a_variable_is_read_as_its_option_is(
    commonweight: Command, deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "none.json" in node(commonweight, deployment).err, "all is well but the key"
    monkeypatch.setenv("COMMONWEIGHT_NODE_FROM_ROUND", "0")
    said = node(commonweight, deployment)
    assert (said.status, "COMMONWEIGHT_NODE_FROM_ROUND" in said.err, "--from-round" in said.err) == (2, True, True)
    assert node(commonweight, deployment, "--from-round", 2).status == 1, "the option goes before it"


def test_a_process_variable_goes_before_that_of_all(
    commonweight: Command, deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMONWEIGHT_API", "nowhere")
    assert node(commonweight, deployment).status == 2
    monkeypatch.setenv("COMMONWEIGHT_NODE_API_URL", "https://server.example")
    assert node(commonweight, deployment).status == 1


def test_what_was_required_can_come_from_variables(
    commonweight: Command, deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RUN": RUN, "PAYOUT": ACCOUNT, "DEPLOYMENT": str(deployment)}.items():
        monkeypatch.setenv(f"COMMONWEIGHT_NODE_{name}", value)
    assert "keystore-refused" in commonweight("node", "--keystore", "none.json").err


def test_help_names_the_variable(commonweight: Command) -> None:
    assert "COMMONWEIGHT_SERVER_DAILY_GAS" in commonweight("serve", "--help").out


def test_a_wrong_option_names_its_variables_in_words(commonweight: Command, deployment: Path) -> None:
    err = " ".join(node(commonweight, deployment, "--from-round", 0).err.split())
    assert "COMMONWEIGHT_NODE_FROM_ROUND" in err
    assert "['" not in err
    both = " ".join(node(commonweight, deployment, "--api", "nowhere").err.split())
    assert "COMMONWEIGHT_NODE_API_URL or COMMONWEIGHT_API" in both


def origins_of(monkeypatch: pytest.MonkeyPatch, text: str) -> Any:
    monkeypatch.setenv("COMMONWEIGHT_SERVER_ALLOW_ORIGINS", text)
    command: Any = typer.main.get_command(app)
    serve = command.commands["serve"]
    (option,) = [option for option in serve.params if option.name == "allow_origin"]
    with serve.make_context("serve", ["--help"], resilient_parsing=True) as context:
        return option.value_from_envvar(context)


@pytest.mark.parametrize("text", ["https://a.example https://b.example", '["https://a.example", "https://b.example"]'])
def test_a_list_is_read_as_the_settings_read_it(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert list(origins_of(monkeypatch, text)) == ["https://a.example", "https://b.example"]


def test_a_list_that_is_cut_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(typer.BadParameter, match="not a JSON array"):
        origins_of(monkeypatch, '["https://a.example"')


def test_a_verifier_may_be_reached_nowhere(commonweight: Command, deployment: Path) -> None:
    options = ("--run", RUN, "--deployment", deployment, "--keystore", "none.json", "--public-url")
    assert "none.json" in commonweight("verifier", "run", *options, "-").err, "all is well but the key"
    refused = commonweight("verifier", "run", *options, "x").err
    assert "or - for an unreachable mirror" in " ".join(refused.split())
