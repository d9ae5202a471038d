"""Every use of a clock that somebody can set stands in docs/operate.md, with why it is safe."""

from __future__ import annotations

import re

import pytest

from tests.sources import ROOT, own_sources

pytestmark = pytest.mark.unit
READS = re.compile(r"\btime\.time\b|\btime_ns\b|datetime\.(now|utcnow|today)|\bst_mtime\b|CLOCK_REALTIME|\bunix_now\b")


def test_the_page_lists_every_use_of_a_wall_clock() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in own_sources() if READS.search(path.read_text())}
    page = (ROOT / "docs" / "operate.md").read_text()
    section = page.split("\n## Clocks\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([^`]+\.py)`", section, re.MULTILINE)) == found
