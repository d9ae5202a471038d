"""Mutants of how a proof ends, of traces and of the merge: J8, J10, J12 to J15."""

from __future__ import annotations

from tests.adversary.mutants.core import Mutant

CHEATS = ("skip", "helped-cheat", "skip-and-withhold", "skip-and-starve", "operator-helps-cheat")

MUTANTS: dict[str, Mutant] = {
    "a proof is posted without its pledge": Mutant(
        "J8",
        "verdicts",
        "    if proof.pledge is None:\n        return None\n    if proof.pledge.fake is not None:",
        "    if proof.pledge is not None and proof.pledge.fake is not None:",
        ("I1", "I8"),
        ("withheld-pledge", "honest"),
    ),
    "a pledge that names what nobody drew is posted": Mutant(
        "J13", "verdicts", "    if proof.pledge.fake is not None:", "    if False:", ("I1",), ("canary", "false-pledge")
    ),
    "a canary that was passed is not read again": Mutant(
        "J8",
        "verdicts",
        "        segment.questioned = True\n",
        "        pass\n",
        ("I8",),
        ("early-pledge", "liar-on-false", "false-pledge"),
    ),
    "everything void is at fault": Mutant(
        "J10", "verdicts", "at_fault = reason in AT_FAULT\n", "at_fault = True\n", ("I8",), ("drift",)
    ),
    "after a void the record stays": Mutant(
        "J10",
        "verdicts",
        "member.record = member.record.after(ProofOutcome.VOIDED, AuditPolicy(run.created.terms.audit_floor))",
        "pass",
        ("I8",),
        ("sleeper",),
    ),
    "a pledge excuses every segment": Mutant(
        "J13",
        "verdicts",
        "if fake is not None and fake == segment:",
        "if fake is not None:",
        ("I7", "I8"),
        ("false-pledge",),
    ),
    "canaries are excused without end": Mutant(
        "J13", "verdicts", "return len(recent) < terms.canaries", "return True", ("I7", "I8"), ("canary-flood",)
    ),
    "a pledge may be opened before the words": Mutant(
        "J13",
        "verdicts",
        "if proof.stage not in (Stage.SPOKEN, Stage.VOID):",
        "if proof.stage not in (Stage.READING, Stage.SPOKEN, Stage.VOID):",
        ("I2", "I8"),
        ("early-pledge",),
    ),
    "a pledge need not be the sealed one": Mutant(
        "J13",
        "verdicts",
        "if state.functions.seal_pledge(proof.commitment.node, fact.salt, fact.fake) != proof.commitment.pledge:",
        "if False:",
        ("I1", "I8", "Effect"),
        ("withheld-pledge", "strangers"),
    ),
    "a pledge is withheld after one period": Mutant(
        "J13",
        "verdicts",
        "lapses.begin(state, proof, about(proof, What.PLEDGE, proof.commitment.node), 2)",
        "proof.pledge_lapsed = True",
        ("I2", "I8"),
        ("withheld-pledge",),
    ),
    "a stake is free before its slash is final": Mutant(
        "J14",
        "verdicts",
        "        proof.reserved = 0\n    release(state, proof)\n",
        "    release(state, proof)\n",
        ("I7", "I8"),
        CHEATS,
    ),
    "a post leaves the stake reserved": Mutant(
        "J14",
        "verdicts",
        "    release(state, proof)\n    _await_traces(state, proof)\n",
        "    _await_traces(state, proof)\n",
        ("I2",),
        ("honest", "comings-and-goings"),
    ),
    "a trace may be shown before the end": Mutant(
        "J12",
        "verdicts",
        "    if proof.stage in (Stage.READING, Stage.SPOKEN):\n",
        "    if False:\n",
        ("I8",),
        ("bad-trace",),
    ),
    "a trace need not be the sealed one": Mutant(
        "J12",
        "verdicts",
        "if state.functions.seal_trace(fact.verifier, fact.trace) != sealed:",
        "if False:",
        ("I8",),
        ("bad-trace",),
    ),
    "the first trace is right": Mutant(
        "J12",
        "verdicts",
        "if traces.count(trace) >= k)",
        "if traces.count(trace) >= 1)",
        ("I3", "I8"),
        ("bad-trace", "copier"),
        seeds=19,
    ),
    "a wrong trace costs nothing": Mutant(
        "J12", "verdicts", "proof.found.append((name, Fault.WRONG_TRACE))", "pass", ("I8",), ("bad-trace", "copier")
    ),
    "a trace is withheld after one period": Mutant(
        "J12",
        "verdicts",
        "lapses.begin(state, proof, about(proof, What.TRACE, verifier), 2)",
        "proof.found.append((verifier, Fault.TRACE_WITHHELD))",
        ("I3", "I8"),
        ("bad-trace", "away"),
    ),
    "a withheld trace costs nothing": Mutant(
        "J12", "verdicts", "proof.found.append((verifier, Fault.TRACE_WITHHELD))", "pass", ("I8",), ("bad-trace",)
    ),
    "the end of a proof excuses who fell silent": Mutant(
        "J12",
        "verdicts",
        "            and pending.items & drawn_by(proof, as_address(awaited.party))\n",
        "            and False\n",
        ("I8",),
        ("silent-seat",),
    ),
    "what waits is merged, too": Mutant(
        "J15",
        "merges",
        "if proof.stage is Stage.POSTED]",
        "if proof.stage in (Stage.POSTED, Stage.READING)]",
        ("I1", "I8"),
        ("split-bench", "drift"),
    ),
    "a round merges while its proofs are read": Mutant(
        "J15",
        "merges",
        "if not all(proof.stage in _ENDS or _waits(proof, current) for proof in proofs):",
        "if not any(proof.stage in _ENDS for proof in proofs):",
        ("I8",),
        ("honest", "late-openings"),
    ),
    "a proof that waits holds up its round": Mutant(
        "J15", "merges", "return tried or not is_progressing(proof, current)", "return False", ("I5",), ("drift",)
    ),
    "one signature makes a merge": Mutant(
        "J15", "merges", "if steps.count((theta, momentum)) >= current.k:", "if True:", ("I1", "I8"), ("bad-merge",)
    ),
    "moments go on from work that was not merged": Mutant(
        "J15",
        "merges",
        "    for name in entry.proofs:\n",
        "    for name in current.closed:\n",
        ("I1", "I8"),
        ("skip", "canary"),
    ),
}
