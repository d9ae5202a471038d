"""The rules of tests/conftest.py, on suites that keep and break them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PLAYED_ONCE

pytestmark = pytest.mark.integration

CONFTEST = Path(__file__).with_name("conftest.py")
SETTINGS = (
    '[tool.pytest.ini_options]\naddopts = "--strict-markers"\nmarkers = ["unit: u", "integration: i", "demo: d"]\n'
)
HEAD = "import asyncio, socket, subprocess, sys, urllib.request\nimport pytest\n"
UNIT = HEAD + "pytestmark = pytest.mark.unit\n"
ADDRESS = "('127.0.0.1', 9)"


def run_suite(folder: Path, body: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "tests").mkdir()
    (folder / "pyproject.toml").write_text(SETTINGS)
    shutil.copy(CONFTEST, folder / "tests")
    (folder / "tests" / "test_it.py").write_text(body)
    clean = {name: value for name, value in os.environ.items() if name != "COMMONWEIGHT_REQUIRE_NODE"}
    clean |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests", *options],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("marks", "said"),
    [("", "none"), ("@pytest.mark.unit\n@pytest.mark.demo\n", "unit, demo")],
)
def test_a_test_without_exactly_one_marker_stops_the_collection(tmp_path: Path, marks: str, said: str) -> None:
    done = run_suite(tmp_path, f"{HEAD}{marks}def test_it(): pass\n", "-m", "integration")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"test_it.py::test_it: {said}" in done.stderr


OPENINGS = (
    f"socket.socket().connect({ADDRESS})",
    f"socket.socket().connect_ex({ADDRESS})",
    "socket.socket().bind(('127.0.0.1', 0))",
    f"socket.socket(type=socket.SOCK_DGRAM).sendto(b'', {ADDRESS})",
    f"socket.create_connection({ADDRESS})",
    "urllib.request.urlopen('http://127.0.0.1:9')",
    "asyncio.run(asyncio.open_connection('127.0.0.1', 9))",
)


def test_a_unit_test_that_opens_a_socket_fails(tmp_path: Path) -> None:
    """Even where errors are swallowed."""
    tests = (
        f"def test_{place}():\n    try:\n        {opening}\n    except Exception:\n        pass\n"
        for place, opening in enumerate(OPENINGS)
    )
    done = run_suite(tmp_path, UNIT + "".join(tests))
    assert f"{len(OPENINGS)} failed" in done.stdout, done.stdout
    assert done.stdout.count("Failed: a unit test must not open a socket") >= len(OPENINGS)


def test_a_unit_test_may_run_an_event_loop(tmp_path: Path) -> None:
    """An integration test may listen."""
    body = (
        "@pytest.mark.unit\ndef test_loop():\n    first, second = socket.socketpair()\n    first.send(b'x')\n"
        "    assert second.recv(1) == b'x'\n    assert asyncio.run(asyncio.sleep(0, 'done')) == 'done'\n"
        "@pytest.mark.unit\ndef test_unix(tmp_path):\n    socket.socket(socket.AF_UNIX).bind(str(tmp_path / 's'))\n"
        "@pytest.mark.integration\ndef test_listen():\n    socket.socket().bind(('127.0.0.1', 0))\n"
    )
    done = run_suite(tmp_path, HEAD + body)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


NODE_TEST = HEAD + "pytestmark = [pytest.mark.integration, pytest.mark.needs_node]\ndef test_it(): pass\n"


def test_without_node_a_test_is_skipped_with_its_reason(tmp_path: Path) -> None:
    done = run_suite(tmp_path, NODE_TEST, PATH=str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert "needs Node.js" in done.stdout


@pytest.mark.parametrize(
    ("options", "environment"), [(["--require-node"], {}), ([], {"COMMONWEIGHT_REQUIRE_NODE": "1"})]
)
def test_where_node_is_required_its_absence_is_a_failure(
    tmp_path: Path, options: list[str], environment: dict[str, str]
) -> None:
    done = run_suite(tmp_path, NODE_TEST, *options, PATH=str(tmp_path), **environment)
    assert done.returncode != 0
    assert "needs Node.js" in done.stdout


@pytest.mark.needs_node
def test_missing_packages_are_named_too(tmp_path: Path) -> None:
    body = NODE_TEST.replace("needs_node]", "needs_node('web/page')]")
    done = run_suite(tmp_path, body)
    assert "needs the node packages of web/page" in done.stdout
    (tmp_path / "web" / "page" / "node_modules").mkdir(parents=True)
    shutil.rmtree(tmp_path / "tests")
    assert "1 passed" in run_suite(tmp_path, body).stdout


def test_a_package_that_plays_once_goes_to_one_worker() -> None:
    plays = re.compile(r'scope="package"')
    found = [file.parent for file in CONFTEST.parent.rglob("conftest.py") if plays.search(file.read_text())]
    assert {f"{folder.relative_to(CONFTEST.parent.parent)}/" for folder in found} == set(PLAYED_ONCE)
