"""The files of a model package: found without running anything, read once, and hashed.

What is hashed is what runs later (trainer/model/own/loading.py): neither a stale .pyc nor an edit in between counts.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import ModuleSpec
from pathlib import Path
from stat import S_ISREG

from blake3 import blake3

from contracts.protocol.own_model import PACKAGE
from trainer.model.own.errors import InvalidModelPackage, ModelPackageMissing

MOST_FILES, MOST_BYTES = 1_000, 4_000_000
_DOMAIN = b"commonweight model package 1\n"
OPERATIONS = "trainer.portable.operations"
"""What portable models are made of; the numerics profile covers it."""
_ALLOWED = sys.stdlib_module_names | {"torch", "numpy"}
"""What a package may import beside itself: the digest covers nothing else, and the numerics profile covers torch."""
_FIRST = "__init__.py"


@dataclass(frozen=True)
class PackageSource:
    """The Python files of a package in `folder`, by their paths in it (with /), sorted."""

    name: str
    folder: Path
    files: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        """BLAKE3, in hex, over each file's path and bytes with their lengths, in the order of the paths."""
        hasher = blake3(_DOMAIN)
        for path, data in self.files.items():
            for part in (path.encode(), data):
                hasher.update(len(part).to_bytes(8, "little"))
                hasher.update(part)
        return str(hasher.hexdigest())


def installed(name: str) -> PackageSource:
    """The package of this name that Python would import here; its code is not run.

    Raises ModelPackageMissing and InvalidModelPackage.
    """
    found = PACKAGE.fullmatch(name) and _spec(name)
    if not found:
        raise ModelPackageMissing(
            f"no Python package {name[:64]!r} is installed here: install it (pip install ITS-FOLDER), or put the "
            "folder in which it lies on PYTHONPATH"
        )
    places = list(found.submodule_search_locations or ())
    if len(places) != 1 or not (Path(places[0]) / _FIRST).is_file():
        raise InvalidModelPackage(f"{name} is no model package: a model package is one folder with {_FIRST}")
    folder = Path(places[0])
    return PackageSource(name, folder, _read(name, folder))


def require_model(source: PackageSource) -> None:
    """Check by its text that a package is a model's. Raises InvalidModelPackage.

    A package that is something else is not run, though a run names it.
    """
    trees = {path: _parsed(source.name, path, data) for path, data in source.files.items()}
    if "build" not in _bound(trees[_FIRST]):
        raise InvalidModelPackage(f"{source.name} is no model package: its {_FIRST} has no function build")
    for path, tree in trees.items():
        for imported in _imports(tree):
            if imported.partition(".")[0] not in _ALLOWED | {source.name} and imported != OPERATIONS:
                raise InvalidModelPackage(
                    f"{source.name}/{path} imports {imported}, which the digest does not cover: use torch, numpy, "
                    f"Python's own library and {OPERATIONS}, and copy what else it needs into the package"
                )


def _spec(name: str) -> ModuleSpec | None:
    """As the import system finds a top-level package: by the finders, without importing. Ours is asked by none."""
    importlib.invalidate_caches()
    for finder in sys.meta_path:
        if getattr(finder, "serves_models", False):
            continue
        spec = finder.find_spec(name, None)
        if spec is not None:
            return spec
    return None


def _read(name: str, folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    size = 0
    for path in sorted(_paths(folder)):
        try:
            path.encode()
            files[path] = _bytes(folder / path, MOST_BYTES + 1 - size)
        except (OSError, UnicodeError) as error:
            raise InvalidModelPackage(f"{name}/{ascii(path)[1:-1]} cannot be read: {error}") from error
        size += len(files[path])
        if len(files) > MOST_FILES or size > MOST_BYTES:
            raise InvalidModelPackage(f"{name} has more than {MOST_FILES} files or {MOST_BYTES:,} bytes of Python")
    return files


def _bytes(path: Path, most: int) -> bytes:
    """At most so many bytes of a plain file: a pipe or a device never ends. Raises OSError."""
    with open(path, "rb", opener=_opened) as file:
        if not S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("it is no plain file")
        return file.read(most)


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _paths(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(folder)
        yield from ((inside / name).as_posix() for name in names if name.endswith(".py"))


def _parsed(name: str, path: str, data: bytes) -> ast.Module:
    try:
        return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidModelPackage(f"{name}/{path} is no Python: {str(error) or 'it is nested too deep'}") from error


def _bound(tree: ast.Module) -> set[str]:
    """Names that a module defines or imports at its top."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def _imports(tree: ast.Module) -> Iterator[str]:
    """What a module imports by absolute names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module)
