"""`commonweight disk`: the files of a process, and the time until which they are kept."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from commonweight.terminal.console import tell


def disk(
    folder: Annotated[Path, typer.Argument(help="Folder of a node, a verifier or a server (its --folder).")],
) -> None:
    """Show the parts of a process's folder: size, number of files, and how long each is kept. Changes nothing."""
    from commonweight.kept import kept

    lines = kept(folder)
    for line in lines:
        text = f"{line.size:>15,} bytes  {line.files:>6} files  {line.part:<20} {line.what}; kept {line.until}"
        tell(asdict(line), [text])
    tell((), [f"{sum(line.size for line in lines):>15,} bytes in all"])
