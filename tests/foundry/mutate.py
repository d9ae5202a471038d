"""Seed every bug into a copy of the contracts: forge's tests must notice (`python -m tests.foundry.mutate`)."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.foundry.forge import ForgeRefused, Sources
from tests.foundry.mutants import MUTANTS


def main(chosen: list[str]) -> None:
    """Try the bugs named, or all; end with status 1 if one is not caught or the copy fails without any."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        sources = Sources(Path(folder))
        sources.check_whole()
        print("without a change every test passes", flush=True)
        missed = [name for name in chosen or MUTANTS if not _caught(sources, name)]
    print(f"{len(chosen or MUTANTS) - len(missed)} of {len(chosen or MUTANTS)} caught")
    if missed:
        raise SystemExit(f"not caught: {', '.join(missed)}")


def _caught(sources: Sources, name: str) -> bool:
    started = time.monotonic()
    try:
        failure = sources.check_caught(MUTANTS[name])
    except ForgeRefused as refused:
        print(f"MISSED  {name}: {refused}", flush=True)
        return False
    print(f"caught  {name} ({time.monotonic() - started:.0f} s): {failure[:160]}", flush=True)
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
