"""The example of docs/fund.md, line by line: a stranger who pastes it has a round, tokens and revenue."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from contracts.chain.connection import connect
from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer
from contracts.genesis.params import GenesisParams
from tests.commonweight.conftest import Command
from tests.commonweight.shell_lines import ShellLines, blocks_of
from tests.sources import ROOT

pytestmark = pytest.mark.integration
PAGE = ROOT / "docs" / "fund.md"


def test_the_page_works_as_written(commonweight: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the chain is the test's own: its clock goes on between the page's blocks."""
    begin, deploy, claim, revenue = blocks_of(PAGE)
    for block in (begin, deploy, claim, revenue):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMMONWEIGHT_PASSPHRASE", "only for trying out")
    chain = Devnet()
    begun: list[Any] = []
    with DevnetServer(chain, "127.0.0.1", 0, 60.0) as served:
        monkeypatch.setenv("COMMONWEIGHT_RPC", served.url)
        lines = ShellLines(commonweight, begun.append)
        lines.run(begin)
        assert begun == ["commonweight chain"]
        lines.run(deploy)
        last = lines.said[-1][1]
        assert last.startswith("open: The round is open until 20"), last
        assert "The account paid in 12 TEST (1200 units)" in last
        wait(chain, GenesisParams().funding_seconds)
        lines.run(claim)
        assert lines.names["payer"] in lines.said[-1][1]
        wait(chain, GenesisParams().revenue_window)
        lines.run(revenue)
        shown, released = lines.said[-2][1], lines.said[-1][1]
        assert shown.startswith("due 1,000 TEST (100000 units) of distribution 1, in 0x"), shown
        assert released == f"paid 1,000 TEST (100000 units) to {lines.names['payer']}, of distributions 1\n"
        assert connect(served.url).eth.get_balance(Web3.to_checksum_address(lines.names["owner"])) > 9_000 * 10**18


def wait(chain: Devnet, seconds: int) -> None:
    chain.increase_time(seconds + 1)
    chain.mine()
