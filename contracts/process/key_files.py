"""Keys of a process: each in a file of mode 0600, and only the file's path in the environment.

The environment of a process is shown to others (`/proc/PID/environ`, `docker inspect`, a crash report) and handed to
each child; a file of mode 0600 is its owner's.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from contracts.files.whole_file import create_file
from contracts.process.setting_errors import InvalidSetting

FILE_SUFFIX = "_FILE"
_KEY = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyByFile:
    """Mark of a field that is a key: its variable, with `_FILE` behind, names a file."""


def is_key(field: FieldInfo) -> bool:
    """Whether a field of settings is a key."""
    return any(isinstance(mark, KeyByFile) for mark in field.metadata)


def read_key_file(path: Path, variable: str) -> str:
    """The key in a file, as hex. Raises InvalidSetting where others can read it, and where it holds no key."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{variable} names {path}, which cannot be read: {error}") from error
    if mode & _OTHERS:
        permissions = f"{stat.S_IMODE(mode):04o}"
        raise InvalidSetting(f"{variable} names {path}, which others can use (mode {permissions}): chmod 600 {path}")
    if not _KEY.fullmatch(text.strip()):
        raise InvalidSetting(f"{variable} names {path}, which holds no key: one line of 64 hex digits is wanted")
    return text.strip()


def write_key_file(path: Path, key: str) -> None:
    """A key in a new file of mode 0600. Raises FileExistsError, DiskFull and OSError."""
    create_file(path, f"{key}\n".encode(), 0o600)


class KeyFiles(PydanticBaseSettingsSource):
    """Reads keys from the files that the environment names, and refuses a key that stands in the environment itself."""

    def __init__(self, kind: type[BaseSettings]) -> None:
        super().__init__(kind)
        self._prefix = str(self.config.get("env_prefix", ""))

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The key; None for what is no key, was given already, or is named by no variable. Raises InvalidSetting."""
        if not is_key(field):
            return None, field_name, False
        variable = f"{self._prefix}{field_name}".upper()
        if any(name.upper() == variable for name in os.environ):
            file = f"{variable}{FILE_SUFFIX}"
            raise InvalidSetting(
                f"{variable} holds a key where others can read it: put it into a file of mode 0600, name that in {file}"
            )
        path = os.environ.get(f"{variable}{FILE_SUFFIX}", "")
        if not path or field_name in self.current_state:
            return None, field_name, False
        return read_key_file(Path(path), f"{variable}{FILE_SUFFIX}"), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All keys by their field."""
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: key for name, key in values.items() if key is not None}
