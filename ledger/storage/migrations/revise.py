"""`python -m ledger.storage.migrations.revise "what it does"`: a revision that brings the newest one to the tables in
the code.

With `--initial` the first revision is written anew, which is right only while nothing was released.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script
from sqlalchemy import Connection, create_engine

from ledger.storage import schema


def revise(message: str, initial: bool = False) -> Path:
    """The file of the new revision, to be read before it is committed."""
    versions = schema.MIGRATIONS / "versions"
    older = [] if initial else sorted(versions.glob("*.py"))
    name = f"{len(older) + 1:04d}_{re.sub(r'[^a-z0-9]+', '_', message.lower()).strip('_')}.py"
    with tempfile.TemporaryDirectory() as folder, create_engine("sqlite://").connect() as connection:
        for script in older:
            (Path(folder) / script.name).write_bytes(script.read_bytes())
        text = _generated(_config(connection, folder), message, f"{len(older) + 1:04d}")
    for script in versions.glob("*.py"):
        if script not in older:
            script.unlink()
    (versions / name).write_text(text)
    return versions / name


def _generated(config: Config, message: str, revision: str) -> str:
    """From an empty database that the older revisions brought up to date."""
    if revision != "0001":
        command.upgrade(config, "head")
    script = command.revision(config, message, autogenerate=True, rev_id=revision)
    assert isinstance(script, Script)
    return Path(script.path).read_text()


def _config(connection: Connection, versions: str) -> Config:
    """A configuration of the revisions in another folder: the code's own folder never has a half-written file."""
    settings = schema.config(connection)
    settings.set_main_option("path_separator", "newline")
    settings.set_main_option("version_locations", versions.replace("%", "%%"))
    return settings


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("message")
    parser.add_argument("--initial", action="store_true")
    options = parser.parse_args()
    print(revise(options.message, options.initial))


if __name__ == "__main__":
    _main()
