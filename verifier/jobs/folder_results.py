"""Results of tasks as files of a folder, beside the built-in broker."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from celery.backends.filesystem import FilesystemBackend
from kombu.utils.encoding import bytes_to_str, ensure_bytes

from contracts.files.whole_file import PartialFile, sweep


class FolderResults(FilesystemBackend):  # type: ignore[misc]
    """A folder of the settings' own, whatever letters its name has.

    Celery takes the folder from an address, does not decode its letters, and encodes it as the locale does: a space, an
    umlaut or a percent sign then names a folder that does not exist, and no result ever comes.
    """

    def __init__(self, *args: Any, app: Any, url: str | None = None, **options: Any) -> None:  # noqa: ARG002
        address = f"file://{results_of(app.settings.queue_folder)}"
        encoding = sys.getfilesystemencoding()
        super().__init__(*args, app=app, url=address, encoding=encoding, **options)

    def set(self, key: bytes | str, value: bytes | str) -> None:
        """Whole or not at all: a service that looks meanwhile reads no half of it."""
        target = Path(os.fsdecode(self._filename(ensure_bytes(key))))
        with PartialFile(target.parent, "result") as part:
            part.write(ensure_bytes(value))
            part.become(target, synced=False)  # a result that a power cut loses is computed again

    def keep(self, task_ids: Collection[str]) -> None:
        """Remove all results but those of these tasks: others have no use."""
        folder = Path(os.fsdecode(self.path))
        prefix = bytes_to_str(self.task_keyprefix)
        wanted = {f"{prefix}{task_id}" for task_id in task_ids}
        sweep(folder)
        for path in folder.glob(f"{prefix}*"):
            if path.name not in wanted:
                path.unlink(missing_ok=True)


def results_of(queue_folder: Path) -> Path:
    """Folder of the results."""
    return (queue_folder / "results").resolve()
