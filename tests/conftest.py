"""Rules of the whole suite: one marker a test, no socket in a unit test, and what needs Node.js says so.

`needs_node` skips a test where `node` is absent; `needs_node("tests/cross")` also where that folder's packages are
not installed. With `--require-node` or COMMONWEIGHT_REQUIRE_NODE=1 such a skip is a failure.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from commonweight.terminal.logs import PACKAGES, OnStderr

settings.register_profile("calm", deadline=None)
settings.load_profile("calm")
"""A busy machine is no reason to fail."""

ROOT = Path(__file__).parent.parent
KINDS = ("unit", "integration", "demo")
PLAYED_ONCE = ("tests/commonweight/reading/",)
"""Packages whose conftest.py has a fixture of their scope."""
WAITING = (
    "tests/attacks/",
    "tests/commonweight/reading/",
    "tests/commonweight/running/",
    "tests/cross/",
    "tests/foundry/",
    "tests/service/",
    "tests/trainer/node/",
    "tests/verifier/service/",
)
"""Where tests wait for processes and deadlines more than they compute."""
NEEDS_NODE = "needs_node(*folders): needs Node.js, and the packages of these folders (`make node-packages`)"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-node", action="store_true", help="fail, not skip, tests whose Node.js is missing")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", NEEDS_NODE)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """As `--dist loadfile`, but for two things.

    A package whose files share one long play goes to one worker as a whole: played anew for each of its files it took
    six times as long. Half of the workers take the files that wait, and half the others, until either has none left:
    four workers then keep two cores busy.
    """
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler.loadfile import LoadFileScheduling

    class ByPlay(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return next((package for package in PLAYED_ONCE if nodeid.startswith(package)), nodeid.split("::", 1)[0])

        def _assign_work_unit(self, node: Any) -> None:
            takes_waiting = bool(int(node.gateway.id.removeprefix("gw")) % 2)
            fitting = (scope for scope in self.workqueue if scope.startswith(WAITING) is takes_waiting)
            if (scope := next(fitting, None)) is not None:
                self.workqueue.move_to_end(scope, last=False)
            super()._assign_work_unit(node)

    return ByPlay(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before anything is deselected: every test is of exactly one kind."""
    wrong = [(item.nodeid, kinds) for item in items if len(kinds := _kinds(item)) != 1]
    if wrong:
        said = "\n".join(f"  {name}: {', '.join(kinds) or 'none'}" for name, kinds in wrong)
        raise pytest.UsageError(f"these tests must have exactly one marker of {', '.join(KINDS)}:\n{said}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    marker = item.get_closest_marker("needs_node")
    missing = marker and _missing(marker.args)
    if not missing:
        return
    if item.config.getoption("--require-node") or os.environ.get("COMMONWEIGHT_REQUIRE_NODE") == "1":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command that logs, called in this process, makes threads of later tests write into what those print."""
    yield
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler, OnStderr)]
    for handler in ours:
        root.removeHandler(handler)
    for name in PACKAGES if ours else ():
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def _no_socket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test reaches nobody; socket pairs and AF_UNIX stay, since event loops are made of them."""
    if request.node.get_closest_marker("unit") is None:
        return
    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(socket.socket, name, _unix_only(getattr(socket.socket, name)))


def _unix_only(method: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *arguments: Any) -> Any:
        if self.family != socket.AF_UNIX:
            pytest.fail(f"a unit test must not open a socket: {method.__name__}{arguments}")
        return method(self, *arguments)

    return guarded


def _kinds(item: pytest.Item) -> list[str]:
    found = {marker.name for marker in item.iter_markers()}
    return [kind for kind in KINDS if kind in found]


def _missing(folders: tuple[str, ...]) -> str | None:
    if shutil.which("node") is None:
        return "needs Node.js"
    absent = [folder for folder in folders if not (ROOT / folder / "node_modules").is_dir()]
    return f"needs the node packages of {', '.join(absent)}: make node-packages" if absent else None
