"""The machine without one of its rules: the adversary has to break each within a stated number of histories.

A mutant is a change of the text of one module of contracts/protocol/judge; its functions are compiled anew in the module's
own namespace, so nothing else is loaded twice.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

JUDGE = "contracts.protocol.judge"


@dataclass(frozen=True)
class Mutant:
    """`old` stands once in `module`; with `new` in its place the rule is gone, and `breaks` are the invariants that say
    so. `strategies` are those that show it."""

    rule: str
    module: str
    old: str
    new: str
    breaks: tuple[str, ...]
    strategies: tuple[str, ...]


@contextmanager
def installed(mutant: Mutant) -> Iterator[None]:
    """The machine without the rule, while it lasts."""
    module = importlib.import_module(f"{JUDGE}.{mutant.module}")
    assert module.__file__ is not None
    source = Path(module.__file__).read_text()
    if source.count(mutant.old) != 1:
        raise LookupError(f"{mutant.module} has {source.count(mutant.old)} times {mutant.old!r}")
    changed: dict[str, Any] = {**module.__dict__}
    exec(compile(source.replace(mutant.old, mutant.new), module.__file__, "exec"), changed)
    kept = _swap_code(module, changed)
    try:
        yield
    finally:
        for function, code in kept:
            function.__code__ = code


def _swap_code(module: ModuleType, changed: dict[str, Any]) -> list[tuple[FunctionType, Any]]:
    """Give every function of the module its new code: whoever imported one calls the mutant."""
    kept = []
    for name, function in vars(module).items():
        ours = isinstance(function, FunctionType) and function.__module__ == module.__name__
        if ours and changed[name].__code__ != function.__code__:
            kept.append((function, function.__code__))
            function.__code__ = changed[name].__code__
    return kept


def histories_until(mutant: Mutant, most: int) -> tuple[int, str]:
    """How many histories it took, and which invariant broke; (0, "") where none did."""
    from tests.adversary.invariants import Broken, Earnings, check_all
    from tests.adversary.sim import simulate

    earnings = Earnings()
    with installed(mutant):
        for count in range(1, most + 1):
            strategy = mutant.strategies[count % len(mutant.strategies)]
            try:
                check_all(simulate(count, strategy), earnings)
                if count % 25 == 0:
                    earnings.check()
            except Broken as error:
                return count, error.invariant
            except Exception as error:
                return count, type(error).__name__
    return 0, ""


LIARS = ("liar-on-true", "liar-on-false", "two-words")
SILENT = ("silent-seat", "late-secret", "silent-verifier", "away")
CHEATS = ("skip", "helped-cheat", "skip-and-withhold", "skip-and-starve", "operator-helps-cheat")

MUTANTS: dict[str, Mutant] = {
    "one verifier's word makes a lapse": Mutant(
        "J3", "awaits", "if len(known.words) >= k:\n            return", "if known.words:\n            return",
        ("I2", "I8"), ("early-lapses",),
    ),
    "anybody's word counts for a lapse": Mutant(
        "J3", "awaits", "if fact.verifier not in current.verifiers:", "if False:", ("I2", "I8"), ("strangers",)
    ),
    "a lapse counts though what it is about came": Mutant(
        "J3", "awaits", "        scope.past.add((awaited, known.since))\n        del state.open[awaited]",
        "        scope.awaits[awaited] = known", ("I5", "I8"), ("honest", "early-lapses"),
    ),
    "a lapsed node is awaited again at once": Mutant(
        "J4", "rounds", "state.runs[current.run].nodes[node].away = state.size - 1", "pass", ("I8",),
        ("late-commitment", "comings-and-goings"),
    ),
    "a round takes what fewer than k hold": Mutant(
        "J5", "rounds", "if len(state.proofs[name].has) >= current.k)", "if state.proofs[name].has)",
        ("I1", "I8"), ("half-commitment", "double-proof"),
    ),
    "a round closes without its late nodes": Mutant(
        "J5", "rounds", "if current.phase is not Phase.OPEN or current.awaits or state.block is None:",
        "if current.phase is not Phase.OPEN or not current.proofs or state.block is None:", ("I2", "I8"), ("honest",),
    ),
    "a beacon draws though nobody saw the closing entry": Mutant(
        "J5", "rounds", "if current.phase is Phase.CLOSED and not current.missed and not _seen(current):", "if False:",
        ("I8",), ("late-seen",),
    ),
    "after a missed beacon the coin is thrown all the same": Mutant(
        "J5", "rounds", "rate = MILLION if current.missed else current.listed[node].rate",
        "rate = current.listed[node].rate", ("I8",), ("late-seen",),
    ),
    "whoever enters blocks may pass over the beacon": Mutant(
        "J5", "rounds", "current.beacon_time <= fact.parent_time:", "False:", ("I8",), ("operator-hides-blocks",)
    ),
    "a secret need not be the anchored one": Mutant(
        "J6", "reading",
        "    state.functions.check_secret(anchored.anchor, anchored.length, fact.round - start, fact.secret, fact.path)\n",
        "", ("I8",), ("strangers",),
    ),
    "a commitment is not bound to the round": Mutant(
        "J7", "rounds", "if named != due or (fact.segments, fact.tokens) != asked:", "if False:", ("I1", "I6"),
        ("strangers",),
    ),
    "what is withheld twice is not void": Mutant(
        "J7", "reading", "proof.void = proof.void or (Reason.WITHHELD, None)", "pass", ("I5", "I7"),
        ("skip-and-withhold",),
    ),
    "a proof is posted as soon as k drew": Mutant(
        "J8", "reading", "if _drawing(proof) or _drew(proof) < k:", "if _drew(proof) < k:", ("I1", "I8"),
        ("late-secret", "operator-delays"),
    ),
    "a proof is posted though fewer than k drew": Mutant(
        "J8", "reading", "if _drawing(proof) or _drew(proof) < k:", "if _drawing(proof):", ("I1", "I8"), SILENT
    ),
    "nobody waits for the words of who drew": Mutant(
        "J8", "reading", "return all(name in proof.silent or not owed(proof, name) for name in drew)", "return True",
        ("I1", "I8"), ("silent-seat", *LIARS),
    ),
    "what a silent seat drew is read by nobody": Mutant(
        "J8", "reading", "        proof.segments[number].questioned = True\n", "        pass\n", ("I1", "I5", "I8"), SILENT
    ),
    "a given-up seat is not filled": Mutant(
        "J8", "reading", "if not any(seat.given_up or name in proof.silent for name, seat in seats.items()):",
        "if True:", ("I2", "I5", "I8"), SILENT,
    ),
    "a false word questions nothing": Mutant(
        "J8", "bench", "segment.questioned = segment.questioned or said.word is not Word.TRUE", "pass",
        ("I1", "I5", "I8"), (*CHEATS, *LIARS),
    ),
    "one false word voids": Mutant(
        "J8", "bench", "if len(false) >= k:", "if false:", ("I2", "I8"), ("liar-on-true",)
    ),
    "one true word clears": Mutant(
        "J8", "bench", "if len(segment.sayers(Word.TRUE)) >= k:", "if segment.sayers(Word.TRUE):", ("I1", "I8"),
        ("liar-on-false", "helped-cheat"),
    ),
    "false and unserved count together at once": Mutant(
        "J8", "bench", "if len(together & segment.looked) >= k:", "if True:", ("I2", "I8"),
        ("slow-bytes", "liar-on-true"),
    ),
    "false and unserved never meet": Mutant(
        "J8", "bench", "if len(together) < k or", "if True or", ("I5", "I7", "I8"), ("skip-and-starve", "helped-cheat")
    ),
    "the bench is k, and nobody else comes in": Mutant(
        "J8", "bench", "first = proof.order[: 2 * current.k - 1]", "first = proof.order[: current.k]", ("I2", "I5", "I8"),
        ("liar-on-true", "liar-on-false"),
    ),
    "unserved cannot be replaced": Mutant(
        "J10", "bench", "if known is not None and (verifier in segment.replaced or segment.true is not None):",
        "if known is not None:", ("I2", "I8"), ("slow-bytes",),
    ),
    "a second word of another class replaces the first": Mutant(
        "J10", "bench", "if known is not None and known.word is not Word.UNSERVED:", "if False:", ("I2", "I8"),
        ("two-words",),
    ),
    "who need not read a segment has a word on it": Mutant(
        "J10", "bench", "    if not (called or drew):\n", "    if segment is None:\n", ("I2", "I8"), ("strangers", *LIARS)
    ),
    "everything void is at fault": Mutant(
        "J10", "ending", "at_fault = reason in AT_FAULT\n", "at_fault = True\n", ("I8",), ("canary", "liar-on-true")
    ),
    "whoever the bench contradicts loses stake": Mutant(
        "J12", "bench", "if segment.true is False and len(segment.sayers(Word.FALSE)) >= k:",
        "if segment.true is False:", ("I3", "I8"), ("skip-and-starve", "slow-bytes"),
    ),
    "who lapsed is seated again": Mutant(
        "J12", "rounds", "there = sorted(v for v in current.verifiers if v not in run.away)",
        "there = sorted(current.verifiers)", ("I8",), SILENT,
    ),
    "who was overruled sits where it was drawn": Mutant(
        "J12", "rounds", "key=lambda v: run.behind.get(v, 0) >= current.number", "key=lambda v: 0", ("I8",), LIARS
    ),
    "falling silent costs each time": Mutant(
        "J12", "reading", "        if verifier not in current.silent:\n", "        if True:\n", ("I8",), ("silent-seat",)
    ),
    "a pledge excuses every segment": Mutant(
        "J13", "ending", "if fake is not None and fake == segment:", "if fake is not None:", ("I7", "I8"),
        ("false-pledge",),
    ),
    "canaries are excused without end": Mutant(
        "J13", "ending", "return len(recent) < terms.canaries", "return True", ("I7", "I8"), ("canary-flood",)
    ),
    "a pledge may be opened before the words": Mutant(
        "J13", "ending", "if proof.stage not in (Stage.SPOKEN, Stage.VOID):",
        "if proof.stage not in (Stage.READING, Stage.SPOKEN, Stage.VOID):", ("I8",), ("strangers", "canary"),
    ),
    "a proof is posted without its pledge": Mutant(
        "J8", "ending", "    if proof.pledge is None:\n        return None\n    if proof.pledge.fake is not None:",
        "    if proof.pledge is not None and proof.pledge.fake is not None:", ("I1", "I8"), ("withheld-pledge", "honest"),
    ),
    "a canary that was passed is not read again": Mutant(
        "J8", "ending", "        segment.questioned = True\n", "        pass\n", ("I8",), ("canary", "liar-on-false")
    ),
    "a stake counts in every run": Mutant(
        "J14", "presence", "return max(0, state.stakes.get(node, 0) - state.reserved.get(node, 0))",
        "return state.stakes.get(node, 0)", ("I7", "I8"), ("honest", "skip"),
    ),
    "a stake is free before its slash is final": Mutant(
        "J14", "ending", "        proof.reserved = 0\n    release(state, proof)\n", "    release(state, proof)\n",
        ("I7", "I8"), CHEATS,
    ),
    "what waits is merged, too": Mutant(
        "J15", "merging", "if proof.stage is Stage.POSTED]", "if proof.stage in (Stage.POSTED, Stage.READING)]",
        ("I1", "I8"), ("too-few", "liar-on-true", "away", "sleeper"),
    ),
    "one signature makes a merge": Mutant(
        "J15", "merging", "if signed.count((theta, momentum)) >= current.k:", "if True:", ("I1", "I8"), ("bad-merge",)
    ),
    "moments go on from work that was not merged": Mutant(
        "J15", "rounds", "        member.delivered = current.proofs.get(name) in entry.proofs\n",
        "        member.delivered = current.proofs.get(name) in entry.proofs\n"
        "        member.inner = state.proofs[current.proofs[name]].commitment.inner_end if member.delivered "
        "else member.inner\n", ("I1", "I8"), ("skip", "canary"),
    ),
    "a creator's nonce serves twice": Mutant(
        "J16", "presence", "if fact.run in state.runs or key in state.nonces:", "if False:", ("I6",), ("strangers",)
    ),
    "a run that is over credits on": Mutant(
        "J16", "presence", "    if found.over:\n", "    if False:\n", ("I6",), ("strangers", "holders")
    ),
    "a contribution is credited twice": Mutant(
        "J16", "epochs", "if fact.key in state.credited:", "if False:", ("I6",), ("strangers", "holders")
    ),
    "a decision that does not fit is applied": Mutant(
        "J17", "epochs", "    if entry.applied:\n", "    if True:\n", ("I8", "Refused"), ("holders",)
    ),
    "work is paid in two epochs": Mutant(
        "J19", "epochs", "run.paid, run.earned, run.carried, run.unsettled = entry.last_round, {}, 0, False",
        "run.paid, run.carried, run.unsettled = entry.last_round, 0, False", ("I6",), ("honest", "comings-and-goings"),
    ),
    "an epoch above the limit is not cut": Mutant(
        "J19", "epochs", "return due if state.limit is None else min(due, state.limit)", "return due", ("I5", "I6"),
        ("falling-limit",),
    ),
    "a root that was struck down is paid in the next attempt": Mutant(
        "J19", "epochs", "rounds, closed.due, 0, ())\n    if block is None",
        "rounds, closed.due, closed.total, closed.lines)\n    if block is None", ("I6",), ("struck-epoch",),
    ),
    "a root whose deadline passed stays closed": Mutant(
        "J19", "epochs", "if block is None or block.time <= closed.deadline:", "if True:", ("I5", "I8"),
        ("falling-limit", "operator-drops-verifier"),
    ),
    "the last epoch closes while something is undecided": Mutant(
        "J19", "epochs", "if last and any(proof.awaits or not proof.done for proof in _proofs(state, name)):", "if False:",
        ("I5", "I6", "I8"), ("withheld-pledge", "silent-seat", "bad-trace"),
    ),
    "another root that is final counts as ours": Mutant(
        "J20", "epochs", "return EpochEnded(number, closed is not None,", "return EpochEnded(number, True,", ("I8",),
        ("struck-epoch", "holders", "strangers"),
    ),
}  # fmt: skip
"""By what is left out."""
