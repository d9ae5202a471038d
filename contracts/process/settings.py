"""Settings of a process: one environment variable a field, keys by file (docs/settings.md).

A field `daily_gas` of settings with the prefix COMMONWEIGHT_SERVER_ is read from COMMONWEIGHT_SERVER_DAILY_GAS, unless
the caller gives it: a command's options do. A variable that is empty counts as not set. Only servers, nodes and
verifiers need pydantic-settings, which their parts bring.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from contracts.process.http_url import http_url_or_nothing, require_http_url
from contracts.process.key_files import FILE_SUFFIX, KeyByFile, KeyFiles, is_key, write_key_file
from contracts.process.setting_errors import PAGE, MissingSetting, as_setting_error


def _path(value: object) -> object:
    return Path(value) if isinstance(value, str) else value


def _list_of(value: object, separator: str | None) -> object:
    """A variable's text as a list: a JSON array, or parts with a separator between. Raises ValueError."""
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.startswith("[") else [part for part in value.split(separator) if part]


def _texts(value: object) -> object:
    return _list_of(value, None)


def _paths(value: object) -> object:
    return _list_of(value, os.pathsep)


Key = Annotated[str, KeyByFile(), Field(repr=False)]
"""32 bytes hex. Never printed, and never in the environment: `_FILE` behind the variable names a file."""
Url = Annotated[str, AfterValidator(require_http_url)]
UrlOrNothing = Annotated[str, AfterValidator(http_url_or_nothing)]
FilePath = Annotated[Path, BeforeValidator(_path)]
"""Also where its name is no Unicode text."""
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_texts)]
"""A variable has them with spaces between, or as a JSON array."""
Urls = Annotated[tuple[Url, ...], NoDecode, BeforeValidator(_texts)]
Paths = Annotated[tuple[FilePath, ...], NoDecode, BeforeValidator(_paths)]
"""A variable has them with the system's separator of paths between (:), or as a JSON array."""
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[int, Field(ge=0)]
Ppm = Annotated[int, Field(ge=0, le=1_000_000)]
"""Millionths."""
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ProcessSettings(BaseSettings):
    """The base of all settings: they are read once, checked, and then stand. A caller's values go before variables.

    Raises MissingSetting and InvalidSetting, also where the caller gives the values.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_ignore_empty=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise as_setting_error(error, self.variable_of, self.key_fields()) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - no file is read that nobody named
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The caller, then files of keys, then variables."""
        return (init_settings, KeyFiles(settings_cls), env_settings)

    @classmethod
    def key_fields(cls) -> tuple[str, ...]:
        """The fields that are keys."""
        return tuple(name for name, field in cls.model_fields.items() if is_key(field))

    @classmethod
    def variable_of(cls, name: str) -> str:
        """The environment variable of a field; of a key, the one that names its file."""
        variable = f"{cls.model_config['env_prefix']}{name}".upper()
        return f"{variable}{FILE_SUFFIX}" if name in cls.key_fields() else variable

    @classmethod
    def from_environment(cls) -> Self:
        """All of it from variables. Raises MissingSetting and InvalidSetting."""
        variable = cls.model_config["env_prefix"].rstrip("_")
        if variable in os.environ:  # as one JSON object, until it was a variable a field
            raise MissingSetting(f"{variable} is read no more: set a variable for each field ({PAGE} lists them)")
        return cls()

    @contextmanager
    def handed_on(self) -> Iterator[dict[str, str]]:
        """The variables from which another process reads these settings. Its keys lie in files of mode 0600, which are
        gone when the block ends; hold it for as long as that process may start again."""
        with TemporaryDirectory(prefix="commonweight-") as folder:
            keys = {name: Path(folder) / name for name in self.key_fields()}
            for name, path in keys.items():
                write_key_file(path, getattr(self, name))
            others = [name for name in type(self).model_fields if name not in keys]
            yield self.variables(others) | {self.variable_of(name): str(path) for name, path in keys.items()}

    def variables(self, names: Iterable[str]) -> dict[str, str]:
        """The variables of these fields, none of them a key; an empty one stands for the default."""
        return {self.variable_of(name): _shown(getattr(self, name)) for name in names}


def _shown(value: object) -> str:
    """As a variable has it; lists as JSON, since a path may have any separator in its name."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return json.dumps([str(part) for part in value])
    return json.dumps(value) if isinstance(value, bool) else str(value)
