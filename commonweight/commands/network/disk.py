"""`commonweight disk`: what lies in a folder of ours, and until when."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from commonweight.terminal.console import tell


def disk(
    folder: Annotated[Path, typer.Argument(help="The --folder of a node, a verifier or a server.")],
) -> None:
    """Show what a process keeps in its folder, how large it is, and until when it is kept. Changes nothing."""
    from commonweight.kept import kept

    lines = kept(folder)
    for line in lines:
        text = f"{line.size:>15,} bytes  {line.files:>6} files  {line.part:<20} {line.what}; kept {line.until}"
        tell(asdict(line), [text])
    tell((), [f"{sum(line.size for line in lines):>15,} bytes in all"])
