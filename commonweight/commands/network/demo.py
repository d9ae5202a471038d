"""`commonweight demo`: the main job on this machine, each part a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commonweight.terminal.options import Data


def demo(
    seed: Annotated[int, typer.Option(help="Same seed, bit-identical training.")] = 1,
    data: Data = None,
    out: Annotated[Path, typer.Option(help="Folder for logs and the report page.")] = Path("commonweight-demo"),
    rpc_url: Annotated[str, typer.Option("--rpc-url", help="Another EVM node instead of the embedded chain.")] = "",
) -> None:
    """The main job on this machine: train together, catch a cheat, claim shares, vote, and obey the vote."""
    from commonweight.demo.stage import DemoSettings
    from commonweight.demo.story import run_demo

    raise typer.Exit(run_demo(DemoSettings(seed, tuple(data or ()), out, rpc_url)))
