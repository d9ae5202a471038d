"""One small change for each check that the network rests on, and the tests that must notice that it is gone."""

from __future__ import annotations

from dataclasses import dataclass

PROOF = "tests/removed_checks/test_proof_checks.py::"
LOG = "tests/removed_checks/test_log_reading.py::"
TREE = "tests/contracts/test_positional_tree.py::"
VERDICTS = "tests/ledger/test_verdicts.py::"
PANELS = "tests/ledger/test_panels.py::"
PLEDGES = "tests/ledger/test_pledges.py::"
AUDITS = "tests/ledger/test_audits.py::"
DISPUTES = "tests/verifier/test_disputes.py::"
CONTRACTS = "tests/contracts/test_contracts.py::"


@dataclass(frozen=True)
class Mutant:
    """`old` stands once in `path`; with `new` in its place the check is gone, and one of `tests` fails."""

    path: str
    old: str
    new: str
    tests: tuple[str, ...]


PYTHON: dict[str, Mutant] = {
    "replay: the verifier does not look at the result": Mutant(
        "verifier/checks.py", "if not found.equal:", "if False:",
        (f"{PROOF}test_a_segment_that_replays_to_another_state_is_rejected",),
    ),
    "replay: two states always compare equal": Mutant(
        "verifier/compare.py", "if boundary_entry(claimed) == boundary_entry(replayed):", "if True:",
        ("tests/verifier/test_bounded.py::test_exact_mode_measures_what_it_rejects",),
    ),
    "Merkle path: any path leads to any root": Mutant(
        "contracts/positional_tree.py", "if last != 0 or node != root:", "if False:",
        (f"{TREE}test_every_inclusion_proof_holds_only_in_its_place",),
    ),
    "Merkle path: the verifier believes the server": Mutant(
        "verifier/opening.py",
        "KECCAK_TREE.check_inclusion(boundary_entry(state), boundary, commitment.boundaries, path, "
        "commitment.commitment)",
        "pass", (f"{PROOF}test_a_state_that_was_not_committed_to_is_no_opening",),
    ),
    "Merkle path: the ledger takes any opening": Mutant(
        "ledger/proofs.py", "KECCAK_TREE.check_inclusion(entry, message.boundary, count, path, root)", "pass",
        ("tests/api/test_training_refusals.py::test_an_opening_is_refused[path of another boundary]",),
    ),
    "pseudo-gradient": Mutant(
        "verifier/checks.py", "if not follows == state_digest(gradient) == proof.pseudoGradient:", "if False:",
        (f"{PROOF}test_a_pseudo_gradient_that_does_not_follow_is_rejected",),
    ),
    "end state": Mutant(
        "verifier/checks.py", "if (theta_digest(end), inner_digest(end)) != (proof.endState, proof.innerEnd):",
        "if False:", (f"{PROOF}test_an_end_that_is_not_the_last_boundary_is_rejected",),
    ),
    "binding to the round": Mutant(
        "verifier/checks.py", "    if wrong:\n", "    if False:\n",
        (f"{PROOF}test_a_proof_of_another_round_is_rejected",),
    ),
    "quorum: one accept is enough": Mutant(
        "ledger/verdicts.py", "elif accepts >= threshold and (complete or proof.stage == 2):", "elif accepts >= 1:",
        (f"{VERDICTS}test_one_accept_of_three_is_not_enough",),
    ),
    "quorum: one reject of the second stage voids": Mutant(
        "ledger/verdicts.py", "if len(rejects) >= threshold:", "if rejects:",
        (f"{VERDICTS}test_a_second_stage_without_a_quorum_is_not_paid",),
    ),
    "quorum: a reject makes nobody look": Mutant(
        "ledger/verdicts.py", "if proof.stage == 1 and rejects:", "if False:",
        (f"{VERDICTS}test_one_rejection_makes_all_look_at_its_segment",),
    ),
    "quorum: the first reject ends the first stage": Mutant(
        "ledger/verdicts.py", "        if complete:\n", "        if True:\n",
        (f"{VERDICTS}test_the_first_stage_hears_everybody_so_that_a_liar_cannot_hide_a_fake",),
    ),
    "audit: a stake is not asked for": Mutant(
        "ledger/audits.py", "if stakes.get(node, 0) >= least]", "]",
        (f"{AUDITS}test_a_node_that_took_its_stake_back_is_read_again",),
    ),
    "verdict: any segment may be named": Mutant(
        "ledger/verdicts.py", "and message.segment not in read:", "and False:",
        (f"{VERDICTS}test_a_liar_cannot_dispute_a_segment_that_was_not_opened",),
    ),
    "verdict: what nobody drew may be disputed": Mutant(
        "ledger/verdicts.py", "{v.segment for v in rejects} & _drawn(session, proof)", "{v.segment for v in rejects}",
        (f"{VERDICTS}test_a_liar_cannot_dispute_a_segment_that_was_not_opened",),
    ),
    "guilt: anybody's word counts": Mutant(
        "verifier/guilt.py",
        'if message.proof == octets(view["proof"]) and to_checksum_address(message.verifier) in admitted:', "if True:",
        ("tests/verifier/test_node_faults.py::test_the_word_of_strangers_or_about_another_proof_counts_nothing",),
    ),
    "replay: garbage is nobody's fault": Mutant(
        "verifier/checks.py", "except (NonFiniteLoss, ArithmeticError) as error:", "except KeyError as error:",
        ("tests/verifier/test_garbage_states.py",),
    ),
    "panel: one liar on the smallest panel": Mutant(
        "ledger/verdicts.py", "elif complete and not panels.widen(ledger, session, proof):", "elif complete:",
        (f"{PANELS}test_one_liar_on_the_smallest_panel_cannot_keep_honest_work_unpaid",),
    ),
    "audit: the log's reader believes a spared proof": Mutant(
        "verifier/audit.py", '_require(spared and not proof.order, "a proof was spared that the coin says to read")',
        "pass", (f"{AUDITS}test_sparing_a_proof_that_the_coin_says_to_read_is_noticed",),
    ),
    "node fault: no time to appeal": Mutant(
        "ledger/node_faults.py", "return ledger.now() > session.get_one(Resolution, proof.id).made + patience",
        "return patience > 0",
        ("tests/verifier/test_node_faults.py::test_a_rejected_node_loses_its_stake_once_it_had_time_to_appeal",),
    ),
    "panel: nobody is ever late": Mutant(
        "ledger/panels.py", "late = row.verifier not in said and ledger.now() > able + patience", "late = False",
        (f"{PANELS}test_a_late_verifier_is_replaced_and_the_node_gets_new_time_to_open",),
    ),
    "panel: whoever anchored may read": Mutant(
        "ledger/panels.py", "if session.get(Seat, (proof.id, verifier)) is None:", "if False:",
        (f"{PANELS}test_the_first_of_the_drawn_order_read_and_nobody_else",),
    ),
    "pledge: any opening is taken": Mutant(
        "ledger/pledges.py", 'if "0x" + Pledge(message.salt, message.fake).seal(node).hex() != sealed:', "if False:",
        (f"{PLEDGES}test_no_other_pledge_than_the_sealed_one_is_taken",),
    ),
    "pledge: it may be opened early": Mutant(
        "ledger/pledges.py", "if not verdicts.all_have_spoken(ledger, session, proof):", "if False:",
        (f"{PLEDGES}test_a_pledge_stays_sealed_until_all_have_spoken",),
    ),
    "pledge: a canary is paid": Mutant(
        "ledger/verdicts.py", "    elif not pledge.canary:\n", "    elif True:\n",
        (f"{PLEDGES}test_a_canary_that_nobody_could_have_seen_is_not_paid",),
    ),
    "quorum: one signature closes a round": Mutant(
        "ledger/merges.py", "if len(largest) >= threshold else None", "if largest else None",
        ("tests/ledger/test_rounds.py::test_no_merge_without_k_that_agree",),
    ),
    "signature": Mutant(
        "contracts/signing.py", "if found != to_checksum_address(signer):", "if False:",
        ("tests/contracts/test_signing.py::test_foreign_chain_or_contract_is_refused",),
    ),
    "log: any two heads are consistent": Mutant(
        "contracts/positional_tree.py", "if old != first_root or new != second_root:", "if False:",
        (f"{TREE}test_every_consistency_proof_holds_and_a_rewritten_past_does_not",),
    ),
    "log: a reader forgets what it saw": Mutant(
        "verifier/log_mirror.py", "SHA256_TREE.check_consistency(first, size, root, self.root(size), path)", "pass",
        (f"{LOG}test_a_rewritten_history_is_noticed",),
    ),
    "audit: any payout root": Mutant(
        "verifier/audit.py",
        '_require(entry["root"] == "0x" + root.hex(), "payout root does not follow from the posted work")', "pass",
        (f"{LOG}test_a_payout_root_that_does_not_follow_is_noticed",),
    ),
    "audit: any proof is posted": Mutant(
        "verifier/audit.py",
        '_require(proof.spared or accepts >= self.authority.threshold, f"posted on {accepts} accepting verdicts")',
        "pass",
        (f"{LOG}test_a_proof_posted_without_a_quorum_is_noticed",),
    ),
    "witness: any trace is the one that was bound": Mutant(
        "ledger/work_audit.py",
        "if witness_of(name, message.proof, message.trace) != bytes.fromhex(bound.witness[2:]):", "if False:",
        (f"{DISPUTES}test_who_reads_is_cleared_and_who_copies_or_signs_unread_loses_stake",),
    ),
}  # fmt: skip

SOLIDITY: dict[str, Mutant] = {
    "node fault: k signatures": Mutant(
        "VerifierRegistry.sol", "_checkHeader(model_, deadline);\n        _checkSignatures(digest, signatures);",
        "_checkHeader(model_, deadline);",
        ("tests/contracts/test_node_stakes.py::test_only_k_sorted_signatures_of_staked_verifiers_slash",),
    ),
    "challenge window": Mutant(
        "VerifierRegistry.sol", "if (block.timestamp < epoch.closesAt) revert WindowOpen(epoch.closesAt);", "",
        (f"{CONTRACTS}test_a_leaf_pays_once_and_only_when_final",),
    ),
    "k signatures": Mutant(
        "VerifierRegistry.sol",
        "if (signatures.length < threshold) revert TooFewSignatures(signatures.length, threshold);", "",
        (f"{CONTRACTS}test_signatures_must_be_enough_sorted_and_distinct",),
    ),
    "attempt": Mutant(
        "VerifierRegistry.sol",
        "if (message.attempt != epoch.attempt) revert WrongAttempt(message.attempt, epoch.attempt);", "",
        (f"{CONTRACTS}test_challenges_restart_the_window_or_reject_the_root",),
    ),
    "receipt": Mutant(
        "ModelToken.sol", "if (receiptPaid[receipt]) revert ReceiptPaid(receipt);", "",
        (f"{CONTRACTS}test_a_leaf_pays_once_and_only_when_final",),
    ),
    "final epoch": Mutant(
        "EpochDistributor.sol", "if (state.status != VerifierRegistry.Status.Final) revert EpochNotFinal(epoch);", "",
        (f"{CONTRACTS}test_a_leaf_pays_once_and_only_when_final",),
    ),
    "payout proof": Mutant(
        "EpochDistributor.sol",
        "if (!MerkleProof.verifyCalldata(proof, state.root, leaf)) revert ProofRefused(epoch, index);", "",
        (f"{CONTRACTS}test_a_leaf_pays_once_and_only_when_final",),
    ),
}  # fmt: skip
