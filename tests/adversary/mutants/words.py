"""Mutants of words and the full bench: J8 to J12."""

from __future__ import annotations

from tests.adversary.mutants.core import Mutant

LIARS = ("liar-on-true", "liar-on-false", "two-words")
CHEATS = ("skip", "helped-cheat", "skip-and-withhold", "skip-and-starve", "operator-helps-cheat")

MUTANTS: dict[str, Mutant] = {
    "a false word questions nothing": Mutant(
        "J8",
        "full_bench",
        "segment.questioned = segment.questioned or word.word is not Word.TRUE",
        "pass",
        ("I1", "I5", "I8"),
        (*CHEATS, *LIARS),
    ),
    "a second class of word questions nothing": Mutant(
        "J8",
        "full_bench",
        "segment.questioned = segment.questioned or proof.stage is Stage.READING",
        "pass",
        ("I1", "I8"),
        ("two-words",),
        seeds=14,
    ),
    "one false word voids": Mutant(
        "J8", "full_bench", "if len(false) >= k:", "if false:", ("I2", "I8"), ("liar-on-true",)
    ),
    "one true word clears": Mutant(
        "J8",
        "full_bench",
        "if len(segment.sayers(Word.TRUE)) >= k:",
        "if segment.sayers(Word.TRUE):",
        ("I1", "I8"),
        ("liar-on-false", "helped-cheat"),
    ),
    "false and unserved count together at once": Mutant(
        "J8",
        "full_bench",
        "if len(together & segment.looked) >= k:",
        "if len(together) >= k:",
        ("I2", "I8"),
        ("slow-bytes", "liar-on-true"),
    ),
    "false and unserved never meet": Mutant(
        "J8",
        "full_bench",
        "if len(together & segment.looked) >= k:",
        "if False:",
        ("I5", "I8"),
        ("skip-and-starve", "slow-bytes"),
    ),
    "the bench is k, and nobody else comes in": Mutant(
        "J8",
        "full_bench",
        "first = proof.order[: 2 * current.k - 1]",
        "first = proof.order[: current.k]",
        ("I2", "I5", "I8"),
        ("liar-on-true", "liar-on-false"),
    ),
    "the rest never come in": Mutant(
        "J8",
        "full_bench",
        "if rest and not looking and _is_heard(proof, segment):",
        "if False:",
        ("I5", "I8"),
        ("drift", "split-bench"),
        seeds=27,
    ),
    "the rest are called while the first read": Mutant(
        "J8",
        "full_bench",
        "if rest and not looking and _is_heard(proof, segment):",
        "if rest:",
        ("I8",),
        ("split-bench", "drift"),
    ),
    "who spoke is awaited all the same": Mutant(
        "J8",
        "full_bench",
        "if pending is None or pending.items & set(owed(proof, verifier)):",
        "if True:",
        ("I3", "I5", "I8"),
        ("late-secret", "slow-bytes", "silent-seat"),
    ),
    "unserved cannot be replaced": Mutant(
        "J10",
        "full_bench",
        "if previous is not None and verifier in segment.replaced:",
        "if previous is not None:",
        ("I2", "I3", "I5", "I8"),
        ("slow-bytes",),
    ),
    "unserved after another word is evidence": Mutant(
        "J10",
        "full_bench",
        "if previous is not None and word.word in (previous.word, Word.UNSERVED):",
        "if previous is not None and word.word is previous.word:",
        ("I3",),
        ("operator-scatters",),
        seeds=20,
    ),
    "a second word of another class replaces the first": Mutant(
        "J10",
        "full_bench",
        "if previous is not None and previous.word is not Word.UNSERVED:",
        "if False:",
        ("I2", "I8"),
        ("two-words",),
    ),
    "two words cost nothing": Mutant(
        "J10", "full_bench", "proof.found.append((verifier, Fault.TWO_WORDS))", "pass", ("I8",), ("two-words",)
    ),
    "who need not read a segment has a word on it": Mutant(
        "J10",
        "full_bench",
        "    if not (called or drew):\n",
        "    if segment is None:\n",
        ("I2", "I8", "Effect"),
        ("unasked",),
    ),
    "drift is a word in bit-exact runs, too": Mutant(
        "J10",
        "full_bench",
        "if not fits or (exact and word.word is Word.DRIFT):",
        "if not fits:",
        ("I8",),
        ("liar-on-true",),
    ),
    "words need no sealed trace": Mutant(
        "J12",
        "full_bench",
        "if exact and sealed and not fact.witness and fact.verifier not in proof.witnesses:",
        "if False:",
        ("I8",),
        ("bad-trace",),
    ),
    "whoever the bench contradicts loses stake": Mutant(
        "J12",
        "full_bench",
        "if segment.true is False and len(segment.sayers(Word.FALSE)) >= k:",
        "if segment.true is False:",
        ("I3", "I8"),
        ("lone-reader",),
    ),
    "in bounded runs false words cost stake": Mutant(
        "J12",
        "full_bench",
        "wrong = _wrong(proof, current.k) if terms.exact else []",
        "wrong = _wrong(proof, current.k)",
        ("I3", "I8"),
        ("drift", "liar-on-true"),
        seeds=37,
    ),
    "a false word costs nothing": Mutant(
        "J12",
        "full_bench",
        "faults += [(name, Fault.FALSE_WORD) for name in sorted(segment.sayers(Word.FALSE))]",
        "pass",
        ("I7", "I8"),
        ("liar-on-true",),
    ),
    "a fake that was passed costs nothing": Mutant(
        "J12",
        "full_bench",
        "faults += [(name, Fault.PASSED_A_FAKE) for name in sorted(segment.sayers(Word.TRUE))]",
        "pass",
        ("I7", "I8"),
        ("liar-on-false", "helped-cheat"),
    ),
    "nobody is overruled": Mutant(
        "J12", "full_bench", "for verifier in _overruled(proof, current.k):", "for verifier in ():", ("I8",), LIARS
    ),
    "unserved is overruled": Mutant(
        "J12",
        "full_bench",
        "against = (Word.FALSE, Word.DRIFT)\n",
        "against = (Word.FALSE, Word.DRIFT, Word.UNSERVED)\n",
        ("I3", "I8"),
        ("slow-bytes",),
    ),
    "who had the bytes is overruled by who had not": Mutant(
        "J12",
        "full_bench",
        "elif segment.true is False and any(len(segment.sayers(word)) >= k for word in (Word.FALSE, Word.DRIFT)):",
        "elif segment.true is False:",
        ("I3", "I8"),
        ("lone-reader",),
    ),
}
