"""`commonweight market measure`: verifiers measure the machines of suppliers."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from commonweight.terminal.console import tell
from commonweight.terminal.lifetime import heed_signals
from commonweight.terminal.options import (
    DEFAULT_API,
    Api,
    Keystore,
    OwnChain,
    Trusted,
    read_url_or_none,
)

MEBIBYTE = 2**20


def measure(
    keystore: Keystore,
    url: Annotated[
        str, typer.Argument(parser=read_url_or_none, metavar="URL", help="A host; without it, all that are on offer.")
    ] = "",
    api: Api = DEFAULT_API,
    deployment: Trusted = None,
    rpc_url: OwnChain = None,
    every: Annotated[float, typer.Option(min=0, max=720, help="Hours from one round to the next; 0 for one.")] = 0,
    memory: Annotated[int, typer.Option(min=1, max=2**20, help="Mebibytes that the host has to fill.")] = 1_024,
    traffic: Annotated[int, typer.Option(min=1, max=64, help="Mebibytes that are sent each way.")] = 8,
) -> None:
    """Measure suppliers' hosts as a verifier: bits and speed by the standard segment, bandwidth, memory. Each report is
    signed, and goes to the server and to the host."""
    from commonweight.keystore import open_keystore
    from commonweight.market.network.board import Board
    from commonweight.market.network.hosting import measured
    from commonweight.market.network.supplying import measuring_of, tried_document, tried_line
    from commonweight.model.trusted import trusted
    from contracts.mirrors.places import is_loopback
    from verifier.hosts.measuring import Extent

    stop = heed_signals()
    account = open_keystore(keystore)
    extent = Extent(traffic=traffic * MEBIBYTE, memory=memory * MEBIBYTE)
    stop.watched()
    while not stop.is_set():
        board = Board(trusted(api, deployment, rpc_url), lambda: int(time.time()), is_loopback(api))
        measuring = measuring_of(board, account, extent)
        for one in measured(measuring, board, url):
            tell(tried_document(one), [tried_line(one)])
            if stop.is_set():
                break
        if not every or stop.wait(every * 3600):
            break
