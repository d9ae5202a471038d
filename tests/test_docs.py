"""Pages that fail when stale: what the code has must be named in them, and what they name must be in the code."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from api.app import create_app
from api.settings import ServerSettings
from commonweight.cli import app as cli
from contracts.errors import CommonweightError
from contracts.genesis.params import GenesisParams
from contracts.process.settings import ProcessSettings
from contracts.protocol.judge.entries import Fault
from contracts.protocol.judge.facts import Reason
from contracts.protocol.log.leaf import KINDS
from contracts.protocol.run_config import RunConfig
from contracts.wire.answers import CODES
from ledger.context import Ledger
from tests.adversary.sim.strategies import STRATEGIES
from tests.sources import own_sources
from trainer.cheats import CHEATS
from trainer.node.settings import NodeSettings
from verifier.settings import VerifierSettings

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGES = ("contracts", "ledger", "api", "trainer", "verifier", "commonweight")
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")] + sorted(DOCS.rglob("*.md"))
PROCESSES: tuple[type[ProcessSettings], ...] = (ServerSettings, NodeSettings, VerifierSettings)
PREFIXES = {kind: kind.model_config["env_prefix"].rstrip("_") for kind in PROCESSES}
SETTINGS = (*PROCESSES, RunConfig, GenesisParams)
MIRRORS = ("verifier.mirror.errors", "contracts.mirrors.urls")
"""Where errors stand that a verifier's mirror sends."""
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    return cast(Path, request.param)


# ---- errors


def test_each_error_and_reason_and_no_other_has_a_remedy() -> None:
    assert _first_column("errors.md", "Reasons of a verdict") == [str(reason) for reason in Reason]
    listed = _first_column("errors.md", "Codes")
    assert sorted(listed) == sorted(_codes())
    for row in _rows("errors.md", "Codes"):
        assert len(row) == 4, row
        assert all(row), f"a cell is empty: {row}"


def test_every_fault_has_a_row_and_no_other_has() -> None:
    assert _first_column("disputes.md", "The work of a verifier") == [str(fault) for fault in Fault]


def test_every_status_in_the_table_is_the_one_that_is_sent() -> None:
    said = {row[0].strip("`"): row[1] for row in _rows("errors.md", "Codes")}
    for kind in _error_classes():
        if "code" in vars(kind):
            sent = kind.__module__.split(".")[0] in ("contracts", "ledger", "api") or kind.__module__ in MIRRORS
            assert said[kind.code] == (str(kind.status) if sent else "-"), kind


def test_codes_that_are_answers_are_those_that_blame_a_request() -> None:
    """With a status from 400 to 499, but 408, which blames the line (contracts/wire/answers.py)."""
    sent = {row[0].strip("`"): row[1] for row in _rows("errors.md", "Codes") if row[1] != "-"}
    assert {code for code, status in sent.items() if status != "408" and status[0] not in "5"} == CODES


def test_codes_named_in_pages_exist(page: Path) -> None:
    known = _codes() | set(Reason) | set(Fault) | set(CHEATS) | _log_kinds() | _words()
    known |= set(STRATEGIES)
    for word in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", page.read_text()):
        assert word in known, f"{page.name} names `{word}`, which is no code, reason, cheat, strategy or log entry"


# ---- settings


@pytest.mark.parametrize("kind", SETTINGS, ids=lambda kind: kind.__name__)
def test_each_setting_and_no_other_has_a_row_with_its_default(kind: type[Any]) -> None:
    rows = {row[0].strip("`"): row for row in _rows("settings.md", kind.__name__)}
    defaults = _defaults(kind)
    assert list(rows) == list(defaults)
    for name, default in defaults.items():
        expected = "required" if default is MISSING else f"`{_shown(default)}`"
        assert rows[name][1] == expected, name
        assert len(rows[name][2]) > 10, f"{name} is not explained"


def test_environment_variables_are_those_that_are_read() -> None:
    pattern = re.compile(r"COMMONWEIGHT_[A-Z_]*[A-Z]")
    of_settings = {kind.variable_of(name) for kind in PROCESSES for name in kind.model_fields} | set(PREFIXES.values())
    read = {name for source in own_sources() for name in pattern.findall(source.read_text())} - of_settings
    assert set(_first_column("settings.md", "Environment variables")) == read
    of_tests = {name for source in (ROOT / "tests").glob("*.py") for name in pattern.findall(source.read_text())}
    assert {name for page in PAGES for name in pattern.findall(page.read_text())} <= read | of_tests | of_settings


@pytest.mark.parametrize("kind", PROCESSES, ids=lambda kind: kind.__name__)
def test_every_process_says_what_its_variables_begin_with(kind: type[ProcessSettings]) -> None:
    section = (DOCS / "settings.md").read_text().partition(f"## {kind.__name__}")[2].partition("## ")[0]
    assert f"`{kind.model_config['env_prefix']}`" in section
    for key in kind.key_fields():
        assert f"`{kind.variable_of(key)}`" in section


def test_every_cheat_is_described() -> None:
    named = {name for row in _all_rows() for name in re.findall(r"`([^`]+)`", row[0])}
    assert set(CHEATS) <= named


# ---- HTTP


def test_every_route_has_a_row_and_no_other_has() -> None:
    rows = [row for title in _titles("http.md") for row in _rows("http.md", title)]
    said = [f"{row[0]} {row[1].strip('`')}" for row in rows if row[0] in METHODS]
    expected = [f"{method.upper()} {path}" for path, methods in _routes().items() for method in methods]
    assert sorted(said) == sorted(expected)


def test_routes_named_in_pages_exist(page: Path) -> None:
    patterns = [re.compile(re.sub(r"\\{.*?\\}", "[^/]+", re.escape(path))) for path in _routes()]
    for named in re.findall(r"(?<![\w.])(?:\$\w+|https?://[\w.:-]+)?(/v1/[^\s`'\"?)|;,]+)", page.read_text()):
        assert any(pattern.fullmatch(named) for pattern in patterns), f"{page.name} names {named}"


# ---- commands


def test_every_command_and_option_has_a_row_and_no_other_has() -> None:
    listed = {}
    for title in _titles("commands.md"):
        if title.startswith("commonweight "):
            listed[title.removeprefix("commonweight ")] = sorted(_first_column("commands.md", title))
    expected = {name: sorted(_parameters(command)) for name, command in _commands().items()}
    assert listed == expected


def test_commands_named_in_pages_exist(page: Path) -> None:
    for line in _command_lines(page.read_text()):
        words = shlex.split(line, comments=True)
        command = _find(words[1:])
        assert command is not None, f"{page.name}: {line}"
        for word in words:
            option = word.split("=")[0]
            assert not option.startswith("--") or option in {*_options(command), "--help"}, f"{page.name}: {line}"


def test_make_targets_named_in_pages_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for named in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE):
        assert named in targets, f"{page.name}: make {named}"


# ---- the log, the code, the links


def test_every_kind_of_log_entry_has_a_row_and_no_other_has() -> None:
    assert set(_first_column("audit.md", "What the log holds")) == _log_kinds()


def test_files_and_functions_named_in_pages_exist(page: Path) -> None:
    for named in re.findall(rf"`((?:{'|'.join(PACKAGES)}|tests)/[^`\s]+)`", page.read_text()):
        path, _, name = named.partition(":")
        assert (ROOT / path).exists(), f"{page.name} names {named}"
        assert not name or name in _definitions(ROOT / path), f"{page.name} names {named}"


def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_fences(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in {_anchor(title) for title in _titles_of(found.read_text())}, f"{page.name}: {target}"


def test_every_page_is_reachable_from_the_readme() -> None:
    texts = (ROOT / "README.md").read_text() + (ROOT / "ARCHITECTURE.md").read_text()
    reached = {(ROOT / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^)\s:]+)\)", texts)}
    for found in sorted(DOCS.glob("*.md")):
        assert found.resolve() in reached, f"nothing links to {found.name}"


def test_python_in_pages_imports_what_exists(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


def test_decisions_are_numbered_and_say_why() -> None:
    for number, adr in enumerate(_decisions(), start=1):
        assert re.match(rf"{number:04d}-[a-z0-9-]+\.md", adr.name), f"{adr.name} is not number {number}"
        assert adr.read_text().startswith(f"# {number}. ")


def test_the_list_of_decisions_has_each_with_its_title() -> None:
    """Its own title: a page that is renamed, or a new one, needs its line in docs/adr/README.md."""
    titles = [adr.read_text().split("\n", 1)[0].removeprefix("# ").split(". ", 1) for adr in _decisions()]
    expected = [f"| [{n}]({adr.name}) | {title} |" for adr, (n, title) in zip(_decisions(), titles, strict=True)]
    listed = [line for line in (DOCS / "adr" / "README.md").read_text().splitlines() if line.startswith("| [")]
    assert listed == expected


def test_releases_are_dated_and_the_newest_is_the_packages() -> None:
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[0] == "Unreleased"
    for head in heads[1:]:
        assert re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", head), head
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert heads[1].split(" - ")[0] == package


def test_every_figure_has_a_bar_a_command_and_a_date() -> None:
    for row in _rows("benchmarks.md", "Figures"):
        assert len(row) == 6, row
        assert all(row), row
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", row[4]), row


# ---- what the code has


@cache
def _modules() -> tuple[str, ...]:
    found = [*PACKAGES]
    for package in PACKAGES:
        paths = importlib.import_module(package).__path__
        found += [
            m.name for m in pkgutil.walk_packages(paths, f"{package}.") if not m.name.endswith(("__main__", ".env"))
        ]
    return tuple(found)


@cache
def _error_classes() -> tuple[type[CommonweightError], ...]:
    for name in _modules():
        importlib.import_module(name)
    found, open_ = [], [CommonweightError]
    while open_:
        kind = open_.pop()
        open_ += kind.__subclasses__()
        if kind.__module__.split(".")[0] in PACKAGES:
            found.append(kind)
    return tuple(found)


def _codes() -> set[str]:
    """Codes of classes, and those that the two ends of HTTP write as a literal."""
    ends = (ROOT / "api" / "http" / "problems.py", ROOT / "trainer" / "client.py")
    written = {code for end in ends for code in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', end.read_text())}
    return {kind.code for kind in _error_classes()} | written


def _defaults(kind: type[Any]) -> dict[str, object]:
    """Of each setting, in their order; MISSING where it has to be given."""
    if issubclass(kind, ProcessSettings):
        return {name: MISSING if one.is_required() else one.default for name, one in kind.model_fields.items()}
    return {field.name: field.default for field in fields(kind)}


def _log_kinds() -> frozenset[str]:
    return frozenset(KINDS)


def _words() -> set[str]:
    """Other literals with a hyphen that pages may name: those of the code."""
    return {w for s in own_sources() for w in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', s.read_text())}


@cache
def _routes() -> dict[str, Any]:
    settings = ServerSettings(
        rpc_url="http://127.0.0.1:1", deployment=Path(), operator_key="", database_url="", blobs=Path()
    )
    return cast(dict[str, Any], create_app(settings, cast(Ledger, object())).openapi()["paths"])


@cache
def _commands() -> dict[str, Any]:
    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield " ".join(path), command
            return
        if command.invoke_without_command:
            yield " ".join(path), command
        for name, inner in command.commands.items():
            yield from walk(inner, (*path, name))

    return dict(walk(typer.main.get_command(cli), ()))


def _find(words: list[str]) -> Any:
    """The command, or the group of commands, that a line starts with."""
    found = typer.main.get_command(cli)
    for word in words:
        if not hasattr(found, "commands") or word.startswith("-"):
            break
        if word not in found.commands:
            return None
        found = found.commands[word]
    return found


def _options(command: Any) -> set[str]:
    return {o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("--")}


def _parameters(command: Any) -> set[str]:
    arguments = {p.name.rstrip("_") for p in command.params if not p.opts[0].startswith("-")}
    return _options(command) | arguments


def _definitions(path: Path) -> set[str]:
    """Functions, and methods as Class.method, of a Python file; functions of a contract."""
    text = path.read_text()
    if path.suffix == ".sol":
        return set(re.findall(r"\bfunction (\w+)", text)) | {"constructor"}
    found: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inside = (n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {f"{node.name}.{n.name}" for n in inside}
    return found


def _decisions() -> list[Path]:
    return sorted((DOCS / "adr").glob("[0-9]*.md"))


# ---- what the pages say


def _titles_of(text: str) -> list[str]:
    return [t.strip().replace("`", "") for t in re.findall(r"^#+ (.+)$", _without_fences(text), re.MULTILINE)]


def _titles(page: str) -> list[str]:
    return _titles_of((DOCS / page).read_text())


def _rows(page: str, title: str) -> list[list[str]]:
    """Cells of the rows of all tables between this heading and the next, without their headers."""
    sections = re.split(r"^#+ (.+)$", (DOCS / page).read_text(), flags=re.MULTILINE)
    found = [text for head, text in zip(sections[1::2], sections[2::2], strict=True) if head.replace("`", "") == title]
    assert found, f"{page} has no heading {title}"
    lines = [line.strip() for line in found[0].splitlines() if line.startswith("|")]
    rules = [i for i, line in enumerate(lines) if re.fullmatch(r"[|: -]+", line)]
    heads = {*rules, *(i - 1 for i in rules)}
    return [[cell.strip() for cell in line.strip("|").split("|")] for i, line in enumerate(lines) if i not in heads]


def _all_rows() -> Iterator[list[str]]:
    for page in DOCS.glob("*.md"):
        for title in _titles(page.name):
            yield from _rows(page.name, title)


def _first_column(page: str, title: str) -> list[str]:
    """What stands in backticks in the first column."""
    return [name for row in _rows(page, title) for name in re.findall(r"`([^`]+)`", row[0])]


def _command_lines(text: str) -> Iterator[str]:
    """`commonweight ...` in shell blocks (continued lines joined) and in backticks."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for found in re.findall(r"(?:^|\$\(|until |while )(commonweight [^#&;>]*)", line):
                inner = re.sub(r"\$\([^)]*\)", "X", found)
                yield inner.split(")")[0] if "'" not in inner else inner.rstrip(")")
    for found in re.findall(r"`(commonweight [a-z][^`]*)`", _without_fences(text)):
        yield found.removesuffix(" ...").removesuffix(" …")


def _without_fences(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _shown(default: object) -> str:
    if isinstance(default, str):
        return default or '""'
    return json.dumps(default) if not isinstance(default, tuple) else json.dumps(list(default))
