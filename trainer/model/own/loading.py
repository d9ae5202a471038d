"""A model package as modules of this process: exactly the bytes that were hashed, and only after they were.

A finder of Python's import system serves them under the package's own name. Compiled modules and files beside them are
not served: no digest covers them.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import decode_source, spec_from_loader
from types import ModuleType

from trainer.model.own.errors import InvalidModelPackage, ModelPackageDiffers, ModelPackageMissing
from trainer.model.own.source import PackageSource, installed, require_model

LOCK = threading.RLock()
"""Imports, builds and trials of packages are one at a time: modules and torch's generator are the process's."""


@lru_cache(maxsize=8)
def package(name: str, digest: str) -> ModuleType:
    """The package of this name whose files have this digest (64 hex digits).

    Raises ModelPackageMissing, ModelPackageDiffers and InvalidModelPackage; before the digests are equal nothing of it
    runs.
    """
    with LOCK:
        source = _wanted(name, digest)
        require_model(source)
        return _imported(source)


def _wanted(name: str, digest: str) -> PackageSource:
    """Raises ModelPackageMissing and ModelPackageDiffers."""
    try:
        source = installed(name)
    except ModelPackageMissing as error:
        raise ModelPackageMissing(
            f"the run's model is the Python package {name} with the digest {digest}, and no package of this name is "
            "installed here. Nothing is fetched for you: get it from whoever opened the run, read it, install it (pip "
            f"install ITS-FOLDER), and compare `commonweight model digest {name}`"
        ) from error
    if source.digest != digest:
        raise ModelPackageDiffers(
            f"the package {name} in {source.folder} has the digest {source.digest}, and the run's model has {digest}: "
            "install the version that the run names (get it from whoever opened the run), and compare `commonweight "
            f"model digest {name}`"
        )
    return source


class _HashedFinder(MetaPathFinder, InspectLoader):
    """The modules of one package, from memory."""

    serves_models = True

    def __init__(self, source: PackageSource) -> None:
        self.source = source
        self._paths = {_module_of(source.name, path): path for path in source.files}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the import system's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """None for what is not of the package. Raises ModuleNotFoundError for a module of it that was not hashed: the
        finder of an editable installation would serve it from the disk, and no digest covers it."""
        if fullname.partition(".")[0] != self.source.name:
            return None
        if fullname not in self._paths:
            raise ModuleNotFoundError(f"{fullname} is no hashed file of the package", name=fullname)
        return spec_from_loader(fullname, self, origin=f"{self.source.folder}/{self._paths[fullname]}")

    def is_package(self, fullname: str) -> bool:
        """Whether a module is a folder."""
        return self._paths[fullname].endswith("__init__.py")

    def get_source(self, fullname: str) -> str:
        """A module's text."""
        return decode_source(self.source.files[self._paths[fullname]])


def _imported(source: PackageSource) -> ModuleType:
    """Import anew, in the place of a package of this name that this process has: its bytes are not known."""
    name = source.name
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _serves(finder, name)]
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]
    sys.meta_path.insert(0, _HashedFinder(source))
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise InvalidModelPackage(f"{name} cannot be imported: {type(error).__name__}: {error}") from error


def _serves(finder: object, name: str) -> bool:
    return isinstance(finder, _HashedFinder) and finder.source.name == name


def _module_of(package_name: str, path: str) -> str:
    parts = path.removesuffix(".py").split("/")
    return ".".join([package_name, *(parts[:-1] if parts[-1] == "__init__" else parts)])
