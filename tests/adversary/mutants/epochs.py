"""Mutants of decisions, contributions and epochs: J16 to J20."""

from __future__ import annotations

from tests.adversary.mutants.core import Mutant

MUTANTS: dict[str, Mutant] = {
    "a contribution is credited twice": Mutant(
        "J16", "epochs", "if fact.key in state.credited:", "if False:", ("I6",), ("strangers", "holders")
    ),
    "a contribution needs no maintainer": Mutant(
        "J16", "epochs", "    state.functions.check_quorum(run.config, fact.signers)\n", "", ("I6",), ("strangers",)
    ),
    "a decision that does not fit is applied": Mutant(
        "J17", "epochs", "    if entry.applied:\n", "    if True:\n", ("I8", "NotBound"), ("holders",)
    ),
    "the last decision comes first": Mutant(
        "J17",
        "epochs",
        "sequence, key, value = run.pending[0]",
        "sequence, key, value = run.pending[-1]",
        ("I8", "NotBound"),
        ("holders",),
        seeds=36,
    ),
    "an epoch closes before its round merged": Mutant(
        "J19",
        "epochs",
        "if run.over or run.merged != run.round or run.round == 0:",
        "if run.over or run.round == 0:",
        ("I2", "I6", "I8"),
        ("honest",),
    ),
    "nothing is ever undecided": Mutant("J19", "epochs", "    if stuck:\n", "    if False:\n", ("I5",), ("drift",)),
    "the last epoch closes while something is undecided": Mutant(
        "J19",
        "epochs",
        "if last and any(proof.awaits or not proof.done for proof in _proofs(state, name)):",
        "if False:",
        ("I5", "I6", "I8"),
        ("withheld-pledge", "silent-seat", "bad-trace"),
        seeds=7,
    ),
    "what is decided after the last round is not paid": Mutant(
        "J19",
        "epochs",
        "return _close(state, name, run) if run.unsettled else RunOver",
        "return RunOver",
        ("I6",),
        ("last-vote",),
        seeds=7,
    ),
    "what ends late has an emission of its own": Mutant(
        "J19",
        "epochs",
        "emission = run.created.terms.emission if run.round > run.paid else 0",
        "emission = run.created.terms.emission",
        ("I6",),
        ("last-vote",),
        seeds=7,
    ),
    "an epoch without work is emitted all the same": Mutant(
        "J19", "epochs", "due = due if somebody else run.carried", "due = due", ("I6",), ("late-commitment", "skip")
    ),
    "what is carried over is lost": Mutant(
        "J19", "epochs", "due = emission + run.carried", "due = emission", ("I6",), ("falling-limit",)
    ),
    "nothing is carried over": Mutant(
        "J19",
        "epochs",
        "given[0].due - given[0].total if given is not None else 0",
        "0",
        ("I6",),
        ("falling-limit", "struck-epoch"),
    ),
    "work is paid in two epochs": Mutant(
        "J19",
        "epochs",
        "run.paid, run.earned, run.carried, run.unsettled = entry.last_round, {}, 0, False",
        "run.paid, run.carried, run.unsettled = entry.last_round, 0, False",
        ("I6",),
        ("honest", "comings-and-goings"),
    ),
    "an epoch above the limit is not cut": Mutant(
        "J19",
        "epochs",
        "return due if state.limit is None else min(due, state.limit)",
        "return due",
        ("I5", "I6"),
        ("falling-limit",),
    ),
    "a struck root is paid in the next attempt": Mutant(
        "J19",
        "epochs",
        "within = 0 if epoch.struck else _within(state, closed.due)",
        "within = _within(state, closed.due)",
        ("I6",),
        ("struck-epoch",),
    ),
    "a struck root is paid when its deadline passed": Mutant(
        "J19",
        "epochs",
        "within = 0 if epoch.struck else",
        "within = 0 if epoch.struck and epoch.fallen > closed.attempt else",
        ("I6",),
        ("struck-epoch",),
    ),
    "a root that closes anew is of a later time": Mutant(
        "J14",
        "epochs",
        "        deadline=deadline,\n",
        "        deadline=deadline, settled_at=block.time,\n",
        ("I8",),
        ("lapsed-dispute", "struck-epoch"),
    ),
    "an epoch settles what other runs have open": Mutant(
        "J14",
        "epochs",
        "lines, root, deadline, _settled_at(state))",
        "lines, root, deadline, state.block.time)",
        ("I8",),
        ("one-stake",),
    ),
    "an epoch whose dispute lapsed is cancelled": Mutant(
        "J19",
        "epochs",
        "        epoch.fallen = max(epoch.fallen, event.attempt + 1)\n",
        "        epoch.fallen, epoch.struck = max(epoch.fallen, event.attempt + 1), True\n",
        ("I6",),
        ("lapsed-dispute",),
    ),
    "a root whose deadline passed stays closed": Mutant(
        "J19",
        "epochs",
        "(epoch.fallen == closed.attempt and block.time <= closed.deadline):",
        "epoch.fallen == closed.attempt:",
        ("I5", "I8"),
        ("falling-limit", "operator-drops-verifier"),
        seeds=21,
    ),
    "a proof is forgotten while a trace is awaited": Mutant(
        "J12",
        "epochs",
        "if proof.done and not proof.awaits and proof.ended_at < epoch.index:",
        "if proof.done and proof.ended_at < epoch.index:",
        ("I8",),
        ("bad-trace", "silent-seat"),
        seeds=17,
    ),
    "another root that is final counts as ours": Mutant(
        "J20",
        "epochs",
        "return EpochEnded(number, *epoch.final, given is not None, left)",
        "return EpochEnded(number, *epoch.final, True, left)",
        ("I8",),
        ("too-many",),
    ),
}
