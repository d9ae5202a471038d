"""The rows of the two example tasks as Parquet: python make.py (needs pyarrow)."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = [
    "def area(width, height):\n    return width * height\n",
    "A verifier replays the segments that nobody chose.\n",
    "for name in sorted(names):\n    print(name)\n",
]
ENDINGS = [
    ("for item in ", "items:", "snemti"),
    ("import ", "os", "zq"),
    ("return ", "None", "xxxx"),
    ("The quick brown ", "fox", "qqq"),
]


def main() -> None:
    """Write both files beside this one."""
    here = Path(__file__).parent
    pq.write_table(pa.table({"text": TEXTS}), here / "held_out.parquet")
    starts, right, wrong = zip(*ENDINGS, strict=True)
    pq.write_table(pa.table({"start": starts, "right": right, "wrong": wrong}), here / "endings.parquet")


if __name__ == "__main__":
    main()
