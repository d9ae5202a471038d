"""`commonweight demo`: the whole network on this machine, each part a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commonweight.terminal.options import Data


def demo(
    seed: Annotated[
        int, typer.Option(help="Seed of the demo. The same seed gives the same training, bit for bit.")
    ] = 1,
    data: Data = None,
    out: Annotated[Path, typer.Option(help="Folder for logs and the report page.")] = Path("commonweight-demo"),
    rpc_url: Annotated[
        str, typer.Option("--rpc-url", help="JSON-RPC address of another EVM node, instead of the embedded chain.")
    ] = "",
) -> None:
    """Run the whole network on this machine: train together, catch a cheat, claim shares, vote, and apply the vote."""
    from commonweight.demo.stage import DemoSettings
    from commonweight.demo.story import run_demo

    raise typer.Exit(run_demo(DemoSettings(seed, tuple(data or ()), out, rpc_url)))
