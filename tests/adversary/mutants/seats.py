"""Mutants of seats, draws and openings: J6 to J8, J12."""

from __future__ import annotations

from tests.adversary.mutants.core import Mutant

SILENT = ("silent-seat", "late-secret", "silent-verifier", "vanishes")

MUTANTS: dict[str, Mutant] = {
    "a secret need not be the anchored one": Mutant(
        "J6",
        "seats",
        "    state.functions.check_secret(bound, fact.round - bound.first, fact.secret, fact.path)\n",
        "",
        ("I1", "I8"),
        ("grinder",),
    ),
    "a secret is of the newest anchor": Mutant(
        "J6",
        "seats",
        "bound = current.anchors[fact.verifier]",
        "bound = state.runs[fact.run].anchors[fact.verifier][-1]",
        ("I1", "I2", "I3", "I5", "I8"),
        ("new-anchors",),
    ),
    "who has no seat shows its secret": Mutant(
        "J6", "seats", "    if not seated:\n", "    if False:\n", ("I8",), ("unasked",)
    ),
    "openings are withheld after one period": Mutant(
        "J7",
        "seats",
        "lapses.begin(state, proof, about(proof, What.OPENINGS, verifier), 2)",
        "proof.void = proof.void or (Reason.WITHHELD, None)",
        ("I2", "I8"),
        ("late-openings", "skip-and-withhold"),
    ),
    "what is withheld twice is not void": Mutant(
        "J7",
        "seats",
        "        proof.void = proof.void or (Reason.WITHHELD, None)",
        "        pass",
        ("I5", "I8"),
        ("skip-and-withhold",),
    ),
    "words are awaited before both ends are open": Mutant(
        "J7",
        "seats",
        "segment in proof.opened and segment + 1 in proof.opened",
        "segment in proof.opened",
        ("I8",),
        ("honest",),
    ),
    "a proof is posted as soon as k drew": Mutant(
        "J8",
        "seats",
        "if _drawing(proof) or _drew(proof) < k:",
        "if _drew(proof) < k:",
        ("I1", "I8"),
        ("late-secret", "operator-delays"),
    ),
    "a proof is posted though fewer than k drew": Mutant(
        "J8",
        "seats",
        "if _drawing(proof) or _drew(proof) < k:",
        "if _drawing(proof):",
        ("I1", "I8"),
        ("too-many",),
        seeds=32,
    ),
    "nobody waits for the words of who drew": Mutant(
        "J8",
        "seats",
        "return all(name in proof.silent or not owed(proof, name) for name in drew)",
        "return True",
        ("I1", "I8"),
        ("silent-seat", "liar-on-true", "two-words"),
    ),
    "what a silent seat drew is read by nobody": Mutant(
        "J8",
        "seats",
        "        proof.segments[number].questioned = True\n",
        "        pass\n",
        ("I1", "I2", "I5", "I8"),
        SILENT,
        seeds=6,
    ),
    "a seat is not given up": Mutant(
        "J8", "seats", "            seat.given_up = True\n", "            pass\n", ("I1", "I2", "I5", "I8"), SILENT
    ),
    "a given-up seat is not filled": Mutant(
        "J8",
        "seats",
        "    if active == len(seats) and active >= min(",
        "    if True or active >= min(",
        ("I2", "I5", "I8"),
        SILENT,
    ),
    "after one lapse the whole order sits down": Mutant(
        "J8", "seats", "    limit = 2 * current.k - 1\n", "    limit = len(proof.order)\n", ("I8",), SILENT, seeds=37
    ),
    "silence costs stake after one period": Mutant(
        "J12", "seats", "    if period == 2:\n", "    if True:\n", ("I3", "I8"), ("silent-seat", "vanishes")
    ),
    "falling silent costs each time": Mutant(
        "J12", "seats", " and verifier not in current.silent:", ":", ("I8",), ("silent-seat",)
    ),
    "falling silent costs nothing": Mutant(
        "J12", "seats", "proof.found.append((verifier, Fault.FELL_SILENT))", "pass", ("I8",), ("silent-seat",)
    ),
    "silence costs where nobody could speak in time": Mutant(
        "J12", "seats", " and _others_did(proof, due, current.k)", "", ("I3", "I8"), ("near-zero",)
    ),
    "late words of others are in time": Mutant(
        "J12",
        "seats",
        ".read - proof.late) >= k",
        ".read) >= k",
        ("I3", "I8"),
        ("near-zero+vanishes",),
        seeds=60,
    ),
    "no bytes is as good as a replay": Mutant(
        "J12",
        "full_bench",
        "if word.word is not Word.UNSERVED and _is_in_time(",
        "if _is_in_time(",
        ("I3", "I8"),
        ("near-zero",),
    ),
    "one segment that others read is enough": Mutant(
        "J12",
        "seats",
        "return all(len(proof.segments[number].read -",
        "return any(len(proof.segments[number].read -",
        ("I3", "I8"),
        ("slow-bytes+silent-seat",),
    ),
    "what replaces unserved is in time": Mutant(
        "J12",
        "full_bench",
        " or proof.void or verifier in segment.words\n",
        " or proof.void\n",
        ("I3", "I8"),
        ("slow-bytes+silent-seat",),
    ),
}
