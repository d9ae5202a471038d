"""Gas that forge measures, and the tables of docs/gas.md: `python -m tests.foundry.gas` writes it into them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.foundry.forge import CONTRACTS, ROOT, ForgeRefused, forge

MEASURED = CONTRACTS / "foundry" / ".out" / "gas"
PAGE = ROOT / "docs" / "gas.md"
GROUPS = ("claim", "vote", "root", "funds")
ROW = re.compile(r"^\| (?P<name>[^|]+?) \| (?P<gas>[\d,]+) \|(?P<rest>.*)$", re.MULTILINE)


def measured(folder: Path = MEASURED) -> dict[str, int]:
    """Gas by name, as the last run of forge's GasTest wrote it."""
    found: dict[str, int] = {}
    for group in GROUPS:
        found |= {name: int(gas) for name, gas in json.loads((folder / f"{group}.json").read_text()).items()}
    return found


def published() -> dict[str, int]:
    """Gas by name, as docs/gas.md says."""
    return {row["name"]: int(row["gas"].replace(",", "")) for row in ROW.finditer(PAGE.read_text())}


def main() -> None:
    """Measure, and write the numbers into the rows of the page; rows are added and removed by hand."""
    done = forge("test", "--match-contract", "^GasTest$")
    if done.returncode != 0:
        raise ForgeRefused(done.stdout + done.stderr)
    now = measured()
    page = ROW.sub(lambda row: f"| {row['name']} | {now.get(row['name'], 0):,} |{row['rest']}", PAGE.read_text())
    PAGE.write_text(page)
    for name in sorted(now.keys() ^ published().keys()):
        print(f"only in one of the two: {name}")


if __name__ == "__main__":
    main()
