"""Values of options that no machine can take are refused at once, and not waited for nor met in a stack trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from commonweight.contribution_file import ContributionFile
from commonweight.terminal.options import read_url, read_url_or_none
from contracts.errors import BadField
from contracts.recursion import bound_recursion
from tests.commonweight.conftest import Command

pytestmark = pytest.mark.unit

NO_URLS = ["x", "localhost:8800", "ftp://x", "http://", "http://h:99999", "http://[::1", "http://a b", "http://a\tb"]
NO_VALUES = {"--port": ["70000", "-1", "9" * 20], "--block-time": ["0", "-1", "nan", "inf"]}


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_address_is_not_waited_for(commonweight: Command, url: str) -> None:
    asked = commonweight("run", "list", "--api", url, "--json")
    assert (asked.status, asked.complaint["error"], asked.complaint["field"]) == (2, "wrong-usage", "--api")
    asked = commonweight("gov", "list", "--rpc-url", url, "--json")
    assert (asked.status, asked.complaint["error"], asked.complaint["field"]) == (2, "wrong-usage", "--rpc-url")


def test_what_was_pasted_around_an_address_is_cut() -> None:
    assert read_url(" http://[::1]:8800/a \n") == "http://[::1]:8800/a"
    assert read_url_or_none(" ") == ""


@pytest.mark.parametrize(("option", "value"), [(option, value) for option in NO_VALUES for value in NO_VALUES[option]])
def test_what_no_machine_can_do_is_wrong_usage(commonweight: Command, option: str, value: str) -> None:
    said = commonweight("chain", option, value, "--json")
    assert (said.status, said.complaint["error"], said.complaint["field"]) == (2, "wrong-usage", option)


def test_a_spoilt_deployment_file_is_one_line(commonweight: Command, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_bytes(b"\xff\xfe")
    for words in (["model", "check"], ["audit"], ["fsck", "--folder", tmp_path]):
        said = commonweight(*words, "--deployment", tmp_path / "d.json", "--json")
        assert (said.status, said.complaint["error"]) == (1, "invalid-deployment")


VERIFIER = {
    "--public-url": ["x", "http://a b"],
    "--workers": ["-1"],
    "--broker-url": ["x", "nope://x"],
    "--port": ["70000"],
    "--api": ["x"],
    "--rpc-url": ["x"],
    "--give-up-after": ["nan", "inf"],
}
NODE = {"--from-round": ["0", "-1"], "--threads": ["0", "9" * 12], "--rpc-url": ["x"], "--canary-rate": ["nan"]}
PARTS = {("verifier", "run"): VERIFIER, ("node", "--payout", f"0x{'11' * 20}"): NODE}
CASES = [(part, option, value) for part in PARTS for option in PARTS[part] for value in PARTS[part][option]]


@pytest.mark.parametrize(("part", "option", "value"), CASES)
def test_a_process_that_could_do_nothing_does_not_start(
    commonweight: Command, tmp_path: Path, part: tuple[str, ...], option: str, value: str
) -> None:
    (tmp_path / "d.json").touch()
    given = ("--keystore", tmp_path / "k", "--run", f"0x{'22' * 32}", "--deployment", tmp_path / "d.json")
    said = commonweight(*part, *given, "--folder", tmp_path / "own", option, value, "--json")
    assert (said.status, said.complaint["error"], said.complaint["field"]) == (2, "wrong-usage", option)
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("content", [b"[", b"[]", b"\xff", b"[" * 100_000], ids=["cut", "a-list", "no-text", "deep"])
def test_a_spoilt_contribution_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.json").write_bytes(content)
    bound_recursion()
    with pytest.raises(BadField, match="not a contribution file"):
        ContributionFile.load(tmp_path / "c.json")


@pytest.mark.parametrize("config", ["[]", "{", "[" * 100_000], ids=["a-list", "cut", "deep"])
def test_a_configuration_that_is_no_object_is_named(commonweight: Command, config: str) -> None:
    said = commonweight("calibrate", "--config", config, "--json")
    assert (said.status, said.complaint["error"], said.complaint["field"]) == (2, "wrong-usage", "--config")


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_jobs_of_no_folder_are_refused(commonweight: Command, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    said = commonweight("verifier", "jobs", "--folder", tmp_path / place, "--json")
    assert (said.status, said.complaint["error"]) == (1, "no-folder")
