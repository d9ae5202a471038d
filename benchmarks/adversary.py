"""The adversary at length: a million histories against the invariants, and how soon each broken machine falls.

    python -m benchmarks.adversary [--histories N] [--start SEED]     writes benchmarks/results/adversary.json
    python -m benchmarks.adversary --mutants                          writes benchmarks/results/adversary_mutants.json

Two processes play histories of the simulator of tests/adversary from a first seed on and check I1 to I9 after each;
what breaks is told with its seed, made smaller. What was reached is written while it plays, so that a run that was
ended still tells how far it came. Bar: 10^6 histories, nothing broken.

`--mutants` takes one rule after the other out of the machine and counts histories until an invariant says so, from
seven first seeds; and it counts the conditions of the checkers without each of which a broken history passes.
"""

from __future__ import annotations

import argparse
import gc
import signal
import statistics
import time
from collections.abc import Iterator
from multiprocessing import get_context
from typing import Any

from benchmarks.record import progress, write_result
from tests.adversary.invariants import INVARIANTS, Broken, check_all
from tests.adversary.mutants import MUTANTS, Mutant, histories_until
from tests.adversary.play import Break, Played, play_one
from tests.adversary.sim import play, smaller, story

PROCESSES = 2
BLOCK = 250
"""Seeds that a process takes at once."""
PATIENCE = 30
"""Seconds for one history; one that takes longer never ends."""
TELL, WRITE = 5.0, 60.0
"""Seconds between two lines, and between two writings of what was reached."""
MOST_BROKEN = 20
SHRUNK = 3
STARTS = tuple(1 + 10_000 * place for place in range(7))


def _give_up(*_: object) -> None:
    raise TimeoutError("the history does not end")


def _settle() -> None:
    """What was imported is not looked through again at each collection: a seventh of the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def play_block(seeds: range) -> Played:
    """One process's share: check each history of these seeds."""
    signal.signal(signal.SIGALRM, _give_up)
    played = Played()
    for seed in seeds:
        signal.alarm(PATIENCE)
        play_one(played, seed)
    signal.alarm(0)
    return played


def blocks(start: int, histories: int) -> Iterator[range]:
    """The seeds in blocks."""
    for first in range(start, start + histories, BLOCK):
        yield range(first, min(first + BLOCK, start + histories))


def run(start: int, histories: int) -> dict[str, Any]:
    """Play them all; ends early where too much breaks."""
    total, began, told, written = Played(), time.monotonic(), 0.0, 0.0
    with get_context("fork").Pool(PROCESSES, _settle) as pool:
        for played in pool.imap_unordered(play_block, blocks(start, histories)):
            total.add(played)
            for found in played.broken:
                progress(f"BROKEN {found.what}")
            seconds = time.monotonic() - began
            if seconds - told > TELL:
                told = seconds
                progress(_line(total, histories, seconds))
            if seconds - written > WRITE:
                written = seconds
                write_result("adversary", reached(total, start, histories, seconds))
            if len(total.broken) >= MOST_BROKEN:
                break
    total.check_earnings()
    return reached(total, start, histories, time.monotonic() - began)


def _line(total: Played, histories: int, seconds: float) -> str:
    rate = total.histories / max(seconds, 0.001)
    left = (histories - total.histories) / max(rate, 0.001)
    return (
        f"{total.histories:,} of {histories:,} histories, {rate:.0f}/s, {len(total.broken)} broken, {left:.0f} s left"
    )


def reached(total: Played, start: int, histories: int, seconds: float) -> dict[str, Any]:
    """What is written, at the end and on the way."""
    strategies = sorted(total.earnings.strategies.items(), key=lambda item: item[1].mean)
    return {
        "histories": total.histories,
        "of": histories,
        "seeds": [start, start + histories],
        "entries": total.entries,
        "strategies and pairs of them": len(total.strategies),
        "seconds": round(seconds),
        "histories a second": round(total.histories / max(seconds, 0.001)),
        "broken": [[found.seed, found.invariant, found.what] for found in total.broken],
        "best cheat": _excess(*strategies[-1]) if strategies else None,
    }


def _excess(strategy: str, account: Any) -> str:
    return f"{strategy}: {account.mean:.2f} segments a history beside honest work ({account.histories} histories)"


def tell_smaller(found: Break) -> None:
    """The smallest plan that breaks the same thing, as a story."""
    plan = smaller(found.seed, lambda history: breaks(history) == found.invariant)
    progress(story(plan, play(plan)))


def breaks(history: Any) -> str:
    """Which invariant a history breaks."""
    try:
        check_all(history)
    except Broken as error:
        return error.invariant
    except Exception as error:
        return type(error).__name__
    return ""


def fall(name: str, mutant: Mutant) -> dict[str, Any]:
    """How many histories a mutant lasts from each first seed."""
    found = [histories_until(mutant, start, mutant.most) for start in STARTS]
    counts = [count or mutant.most + 1 for count, _ in found]
    wrong = sorted({broken for _, broken in found if broken and broken not in mutant.breaks})
    progress(f"{statistics.median(counts):5.0f} {max(counts):5d} {mutant.rule:4} {name} {wrong or ''}")
    said = sorted({broken for _, broken in found if broken})
    return {"rule": mutant.rule, "median": statistics.median(counts), "most": max(counts), "said by": said}


def run_mutants() -> dict[str, Any]:
    """Each rule and each condition taken out."""
    found = {name: fall(name, mutant) for name, mutant in MUTANTS.items()}
    limit = {name for name, mutant in MUTANTS.items() if found[name]["most"] > mutant.most}
    return {
        "mutants": len(found),
        "starts": list(STARTS),
        "median of medians": statistics.median(entry["median"] for entry in found.values()),
        "fallen from every start": len(found) - len(limit),
        "lasting": sorted(limit),
        **broken_checkers(),
        "histories": found,
    }


def broken_checkers() -> dict[str, Any]:
    """Conditions without which their invariant's checker passes a history that it names otherwise."""
    from tests.adversary.test_invariants import BROKEN_CHECKERS, CASES, OWNER, broken

    needed = set()
    for case in CASES:
        owner, history = OWNER[case.condition], broken(case)
        if _says(owner, history) and not _says(
            BROKEN_CHECKERS[f"{owner.name} without {case.condition.__name__}"], history
        ):
            needed.add(case.condition)
    conditions = sum(len(invariant.conditions) for invariant in INVARIANTS)
    return {"conditions of checkers": conditions, "conditions seen missing": len(needed)}


def _says(checker: Any, history: Any) -> bool:
    try:
        checker.check(history)
    except Broken:
        return True
    return False


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=1_000_000)
    parser.add_argument("--start", type=int, default=1_000_000, help="the first seed")
    parser.add_argument("--mutants", action="store_true", help="take rules out of the machine instead")
    args = parser.parse_args()
    if args.mutants:
        write_result("adversary_mutants", run_mutants())
        return
    found = run(args.start, args.histories)
    write_result("adversary", found)
    progress(_line_of(found))
    for seed, invariant, what in found["broken"][:SHRUNK]:
        tell_smaller(Break(seed, invariant, what))


def _line_of(found: dict[str, Any]) -> str:
    return f"{found['histories']:,} histories in {found['seconds']} s, {len(found['broken'])} broken"


if __name__ == "__main__":
    main()
