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
CHANGES = "tests/ledger/test_verifier_changes.py::"
AUDIT = "tests/verifier/test_audit.py::"
DISPUTES = "tests/verifier/test_disputes.py::"
MIRROR = "tests/verifier/test_log_mirror.py::"
CONTRACTS = "tests/contracts/test_contracts.py::"
OUTSIDERS = "tests/attacks/outsiders/"
POOL = "tests/contracts/test_capital_pool.py::"
SPLITTER = "tests/contracts/test_revenue_splitter.py::"


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
        "KECCAK_TREE.check_inclusion(entry, boundary, commitment.boundaries, path, commitment.commitment)",
        "pass", (f"{PROOF}test_a_state_that_was_not_committed_to_is_no_opening",),
    ),
    "Merkle path: the ledger takes any opening": Mutant(
        "ledger/proofs.py", "KECCAK_TREE.check_inclusion(entry, message.boundary, count, path, root)", "pass",
        ("tests/api/test_training_refusals.py::test_an_opening_is_refused[sqlite-path of another boundary]",),
    ),
    "pseudo-gradient": Mutant(
        "verifier/checks.py", "if state_digest(pseudo_gradient(theta, end)) != proof.pseudoGradient:", "if False:",
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
    "blobs: bytes that came are not hashed": Mutant(
        "trainer/client.py", "if blake3(answer.content).hexdigest() != name:", "if False:",
        (f"{OUTSIDERS}test_blobs_that_convict.py::test_spoilt_bytes_convict_nobody",),
    ),
    "blobs: the cache is not hashed": Mutant(
        "trainer/client.py", "return data if blake3(data).hexdigest() == name else None", "return data",
        (f"{OUTSIDERS}test_blobs_that_convict.py::test_a_spoilt_cache_is_fetched_again",),
    ),
    "merge: whatever the server names is merged": Mutant(
        "verifier/checks.py", "    if state_digest(found) != digest:\n", "    if False:\n",
        (f"{OUTSIDERS}test_merge_of_what_was_signed.py::test_blobs_of_other_digests_are_not_merged",),
    ),
    "audit: a commitment begins anywhere": Mutant(
        "verifier/audit.py", "check_ends(proof, made.first_path, made.last_path)", "pass",
        (f"{OUTSIDERS}test_commitment_begins_at_the_start.py::test_an_audit_asks_for_both_paths",),
    ),
    "run: a nonce is used twice": Mutant(
        "ledger/enrolment.py", "    if message.nonce in used:\n", "    if False:\n",
        (f"{OUTSIDERS}test_run_nonces.py::test_a_used_nonce_makes_no_second_run",),
    ),
    "audit: a nonce is used twice": Mutant(
        "verifier/audit.py", '_require(manifest.nonce not in used, "two runs of one nonce ask for one trajectory")',
        "pass", (f"{OUTSIDERS}test_run_nonces.py::test_an_audit_refuses_a_nonce_used_twice",),
    ),
    "decision: a number is read before it is measured": Mutant(
        "contracts/run_config.py", "    if not _WHOLE.fullmatch(value):\n", "    if not value.isdecimal():\n",
        (f"{OUTSIDERS}test_decision_numbers.py::test_an_odd_number_in_a_decision_is_refused",),
    ),
    "guilt: anybody's word counts": Mutant(
        "verifier/guilt.py",
        "if name in bench.members and (stage, said.outcome) == (2, REJECT)", "if (stage, said.outcome) == (2, REJECT)",
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
        "verifier/audit_panels.py",
        'require(spared and not proof.order, "a proof was spared that the coin says to read")',
        "pass", (f"{AUDITS}test_sparing_a_proof_that_the_coin_says_to_read_is_noticed",),
    ),
    "node fault: no time to appeal": Mutant(
        "ledger/node_faults.py",
        "return absences.waited(ledger, session, session.get_one(Resolution, proof.id).made) > patience",
        "return patience > 0",
        ("tests/verifier/test_node_faults.py::test_a_rejected_node_loses_its_stake_once_it_had_time_to_appeal",),
    ),
    "panel: nobody is ever late": Mutant(
        "ledger/panels.py", "late = row.verifier not in said and absences.waited(ledger, session, able) > patience",
        "late = False",
        (f"{PANELS}test_a_late_verifier_is_replaced_and_the_node_gets_new_time_to_open",),
    ),
    "indexer: what a lagging node lacks is passed over": Mutant(
        "ledger/indexer.py", 'events = read(ledger, {"blockHash": _hex(block["hash"])})',
        'events = read(ledger, {"fromBlock": number, "toBlock": number})',
        ("tests/ledger/test_indexer.py::test_a_node_that_lags_behind_is_waited_for",),
    ),
    "epochs: a round that a vote makes the last is not paid": Mutant(
        "ledger/rounds.py",
        "epochs.close_if_due(ledger, session, run)  # the holders may have made a round the last one after it ended",
        "pass", ("tests/ledger/test_epochs.py::test_a_round_that_a_vote_makes_the_last_one_is_paid",),
    ),
    "appeals: a lapse does not look again": Mutant(
        "ledger/appeals.py", "if not _is_late(ledger, session, row):", "if False:",
        (f"{DISPUTES}test_a_move_that_comes_while_the_lapse_waits_for_its_turn_counts",),
    ),
    "contributions: once in a run only": Mutant(
        "ledger/contributions.py", "if known is not None and (known.message, known.run) == (key, run.id):",
        "if known is not None and known.message == key:",
        ("tests/ledger/test_contributions.py::test_what_one_run_has_credited_no_other_run_of_the_model_credits_again",),
    ),
    "keeper: an absence counts as others' lateness": Mutant(
        "ledger/absences.py", "max(since, row.ended if row is not None else 0)", "since",
        ("tests/ledger/test_keeper.py::test_nobody_is_late_while_the_server_was_away",),
    ),
    "panel: a removed verifier still sits": Mutant(
        "ledger/panels.py", "[name for name in bound if name in admitted]", "list(bound)",
        (f"{CHANGES}test_who_was_removed_counts_to_the_end_of_the_round_and_not_in_the_next",),
    ),
    "merge: a removed verifier still counts": Mutant(
        "ledger/merges.py", "if name not in current.verifiers:", "if False:",
        (f"{CHANGES}test_who_was_removed_counts_to_the_end_of_the_round_and_not_in_the_next",),
    ),
    "round: an old block will do": Mutant(
        "ledger/rounds.py", "read is not None and read.block >= least else None", "read is not None else None",
        (f"{CHANGES}test_a_round_opens_on_no_block_older_than_a_beacon_that_was_drawn_with",),
    ),
    "audit: whoever anchored sits on a panel": Mutant(
        "verifier/audit_panels.py", "sorted(bound & admitted)", "sorted(bound)",
        (f"{AUDIT}test_each_round_is_judged_by_the_verifiers_it_opened_under",),
    ),
    "audit: whoever signed counts in an outer step": Mutant(
        "verifier/audit.py", "counting = len(signers & bench.members)", "counting = len(signers)",
        (f"{AUDIT}test_an_outer_step_that_counts_a_removed_verifier_is_noticed",),
    ),
    "audit: a round goes back to an old block": Mutant(
        "verifier/audit_panels.py", "run.block = max(run.block, proof.beacon_block)", "pass",
        (f"{AUDIT}test_a_round_that_goes_back_to_the_verifiers_before_a_beacon_is_noticed",),
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
        "verifier/log_mirror.py", "SHA256_TREE.check_consistency(first, size, before, root, path)", "pass",
        (f"{LOG}test_a_rewritten_history_is_noticed",),
    ),
    "lease: who slept may write": Mutant(
        "ledger/leases.py", "if row is None or row.token != held.token:", "if row is None:",
        ("tests/ledger/test_leases.py::test_who_slept_through_its_end_can_neither_write_nor_send",),
    ),
    "outbox: a block is believed without its hash": Mutant(
        "ledger/settling.py", 'call.state != "signed" and sight.hash_of(cast(int, call.block)) == call.block_hash',
        'call.state != "signed"',
        ("tests/ledger/test_outbox.py::test_a_block_is_known_by_its_hash_and_not_by_its_number",),
    ),
    "outbox: lack of a receipt frees a nonce": Mutant(
        "ledger/settling.py", "if foreign is None or foreign in {attempt.hash for attempt in made}:", "if False:",
        ("tests/ledger/test_outbox.py::test_without_the_foreign_transaction_in_sight_nothing_is_signed_again",),
    ),
    "indexer: the cursor moves from anywhere": Mutant(
        "ledger/indexer.py", "    if row != cursor:\n        return False\n", "",
        ("tests/ledger/test_indexer.py::test_the_cursor_moves_only_from_where_it_was_read",),
    ),
    "indexer: a replaced final block is read over": Mutant(
        "ledger/indexer.py", "    if now != cursor.hash:\n", "    if False:\n",
        ("tests/ledger/test_indexer.py::test_a_replaced_final_block_stops_the_indexer",),
    ),
    "audit: any payout root": Mutant(
        "verifier/audit_epochs.py",
        'require(entry["root"] == "0x" + root.hex(), "payout root does not follow from the posted work")', "pass",
        (f"{LOG}test_a_payout_root_that_does_not_follow_is_noticed",),
    ),
    "audit: a proof may come when its beacon is known": Mutant(
        "verifier/audit.py",
        '_require(beacon_block > self._unseen_at, "beacon was known before the proof stood in the log")', "pass",
        (f"{MIRROR}test_a_proof_that_came_when_its_beacon_was_known_is_refused_by_who_watched",),
    ),
    "proof: the head may be old when it is recorded": Mutant(
        "ledger/proofs.py", "        if time.monotonic() > self.good_until:\n", "        if False:\n",
        ("tests/ledger/test_proofs.py::test_who_waited_for_its_turn_counts_from_a_newer_head",),
    ),
    "audit: any proof is posted": Mutant(
        "verifier/audit.py",
        '_require(proof.spared or accepts >= least, f"posted on {accepts} accepting verdicts")',
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
        "EpochDistributor.sol", "if (status != VerifierRegistry.Status.Final) revert EpochNotFinal(epoch);", "",
        (f"{CONTRACTS}test_a_leaf_pays_once_and_only_when_final",),
    ),
    "receipt without a budget": Mutant(
        "ModelToken.sol", "if (budget == 0 || amount > budget) revert", "if (amount > budget) revert",
        (f"{SPLITTER}test_nobody_spends_a_receipt_without_a_budget",),
    ),
    "refunds only of a failed round": Mutant(
        "CapitalPool.sol", "function refund(address account) external nonReentrant onlyIn(Status.Failed)",
        "function refund(address account) external nonReentrant",
        (f"{POOL}test_a_round_that_succeeds_mints_once_for_each_and_is_swept_once",),
    ),
    "deposit settled once": Mutant(
        "CapitalPool.sol", "depositOf[account] = 0;", "",
        (f"{POOL}test_a_round_below_its_soft_cap_pays_everybody_back_once",),
    ),
    "swept once": Mutant(
        "CapitalPool.sol", "if (swept != 0) revert AlreadySwept(swept);", "",
        (f"{POOL}test_a_round_that_succeeds_mints_once_for_each_and_is_swept_once",),
    ),
    "claims covered before the sweep": Mutant(
        "CapitalPool.sol", "if (mintable < due) revert ClaimsNotCovered(due, mintable);", "",
        (f"{POOL}test_no_money_leaves_before_the_token_can_mint_for_all_of_it",),
    ),
    "deposit measured": Mutant(
        "CapitalPool.sol", "if (received != accepted) revert AmountChanged(received, accepted);", "",
        (f"{POOL}test_a_currency_that_takes_a_fee_is_refused",),
    ),
    "share released once": Mutant(
        "RevenueSplitter.sol", "if (released[id][account]) revert AlreadyReleased(id, account);", "",
        (f"{SPLITTER}test_a_transfer_after_the_snapshot_or_a_delegation_moves_no_share",),
    ),
    "shares by balance, not by votes": Mutant(
        "RevenueSplitter.sol", "account == address(this) ? 0 : token.getPastBalance(account, d.snapshot);",
        "account == address(this) ? 0 : token.getPastVotes(account, d.snapshot);",
        (f"{SPLITTER}test_a_transfer_after_the_snapshot_or_a_delegation_moves_no_share",),
    ),
    "arbiter": Mutant(
        "VerifierRegistry.sol", "bool upheld) external onlyRole(ARBITER_ROLE)", "bool upheld) external",
        (f"{CONTRACTS}test_no_key_holds_power_after_genesis",),
    ),
    "the timelock of its own model": Mutant(
        "ModelRegistry.sol", "if (msg.sender != timelock) revert NotTimelock(model, msg.sender);", "",
        ("tests/contracts/test_two_models.py::test_a_timelock_commands_its_own_model_only",),
    ),
    "payout proof": Mutant(
        "EpochDistributor.sol",
        "if (!MerkleProof.verifyCalldata(proof, root, leaf)) revert ProofRefused(epoch, index);", "",
        (f"{CONTRACTS}test_a_leaf_pays_once_and_only_when_final",),
    ),
}  # fmt: skip

SLICE = (
    "replay: the verifier does not look at the result", "pseudo-gradient", "Merkle path: the ledger takes any opening",
    "quorum: one signature closes a round", "indexer: the cursor moves from anywhere",
    "outbox: lack of a receipt frees a nonce",
)  # fmt: skip
"""Those that `make test` tries; `make test-long` tries all."""
