"""`commonweight disk`: what lies in a folder of ours, and until when."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from commonweight.commands.options import Json
from commonweight.console import emit, say


def disk(
    folder: Annotated[Path, typer.Argument(help="The --folder of a node, a verifier or a server.")],
    as_json: Json = False,
) -> None:
    """Show what a process keeps in its folder, how large it is, and until when it is kept. Changes nothing."""
    from commonweight.kept import kept

    lines = kept(folder)
    for line in lines:
        if as_json:
            emit(asdict(line))
        else:
            say(f"{line.size:>15,} bytes  {line.files:>6} files  {line.part:<20} {line.what}; kept {line.until}")
    if not as_json:
        say(f"{sum(line.size for line in lines):>15,} bytes in all")
