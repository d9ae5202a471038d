"""One small change for each check that the network rests on, and the tests that must notice that it is gone.

The rules themselves have theirs beside the adversary (tests/adversary/mutants).
"""

from __future__ import annotations

from dataclasses import dataclass

TREE = "tests/contracts/merkle/test_positional_tree.py::"
CONTRACTS = "tests/contracts/bindings/test_contracts.py::"
OUTSIDERS = "tests/attacks/outsiders/"
POOL = "tests/contracts/bindings/test_capital_pool.py::"
SPLITTER = "tests/contracts/bindings/test_revenue_splitter.py::"
AUDIT, RECEIPT = "tests/verifier/log/test_", "tests/verifier/receipt/test_"
READING = "tests/contracts/mirrors/test_reading.py::"


@dataclass(frozen=True)
class Mutant:
    """`old` stands once in `path`; with `new` in its place the check is gone, and one of `tests` fails."""

    path: str
    old: str
    new: str
    tests: tuple[str, ...]


PYTHON: dict[str, Mutant] = {
    "replay: the verifier does not look at the result": Mutant(
        "verifier/replay/replaying.py",
        "if pair is None and to_hex(boundary_entry(end)) == segment.end:",
        "if pair is None:",
        ("tests/verifier/replay/test_replaying.py::test_a_false_segment_is_false_and_measured",),
    ),
    "replay: limits bound nothing": Mutant(
        "verifier/replay/replaying.py",
        "    if not comparison.equal:\n",
        "    if False:\n",
        ("tests/verifier/replay/test_bounded_replay.py::test_within_the_limits_is_true_and_beyond_is_false",),
    ),
    "replay: any file is the start": Mutant(
        "verifier/replay/replaying.py",
        "    if to_hex(boundary_entry(state)) != entry:\n",
        "    if False:\n",
        ("tests/verifier/replay/test_replaying.py::test_a_file_that_holds_another_state_is_unserved",),
    ),
    "replay: the end is what the last step left": Mutant(
        "verifier/replay/replaying.py",
        "    if segment.segment == config.segments - 1:\n",
        "    if False:\n",
        ("tests/verifier/replay/test_replaying.py::test_honest_segments_are_true",),
    ),
    "replay: garbage is nobody's fault": Mutant(
        "verifier/replay/replaying.py",
        "except (NonFiniteLoss, ArithmeticError) as error:",
        "except KeyError as error:",
        ("tests/verifier/replay/test_garbage.py",),
    ),
    "replay: a count is not looked at": Mutant(
        "verifier/replay/replaying.py",
        "    if not 0 <= step_count(start) <= MOST_STEPS:\n",
        "    if False:\n",
        ("tests/verifier/replay/test_replaying.py::test_a_start_from_which_no_step_is_possible_is_not_finite",),
    ),
    "log: what was said of another log counts": Mutant(
        "contracts/protocol/judge/rules/roots.py",
        "    if state.leaves and state.roots.get(index) != root:\n",
        "    if False:\n",
        ("tests/contracts/protocol/log/test_roots.py::test_what_was_said_on_a_fork_is_refused_on_the_log",),
    ),
    "replay: however slow its steps are": Mutant(
        "verifier/replay/labour.py",
        "        if self._usual and spent > max(TIMES * self._usual, LEAST_SECONDS):\n",
        "        if False:\n",
        ("tests/verifier/replay/test_labour.py::test_a_segment_that_nobody_gets_through_is_unserved",),
    ),
    "replay: a slow one has the worker": Mutant(
        "verifier/replay/labour.py",
        "        if time.monotonic() > self._end:\n",
        "        if False:\n",
        ("tests/verifier/replay/test_replaying.py::test_a_replay_that_takes_too_long_is_ended_between_two_steps",),
    ),
    "lapse: openings for one's own draw are one's own lateness": Mutant(
        "verifier/duties/lapse.py",
        "awaited.party == verifier and awaited.what is not What.OPENINGS",
        "awaited.party == verifier",
        ("tests/verifier/duties/test_lapse.py::test_openings_for_ones_own_draw_lapse_by_ones_own_word_too",),
    ),
    "replay: any text will do": Mutant(
        "verifier/replay/replaying.py",
        "    corpus.require(config.corpus_digest)\n",
        "",
        ("tests/verifier/replay/test_replaying.py::test_another_machine_or_text_gives_no_word",),
    ),
    "terms: any table of limits": Mutant(
        "contracts/protocol/log/signed.py",
        "if table.to_json() != text or table.digest().hex() != config.limits_digest:",
        "if False:",
        ("tests/contracts/protocol/log/test_limited_run.py::test_another_table_than_the_runs_is_refused",),
    ),
    "terms: pairs that tell nothing": Mutant(
        "contracts/protocol/log/signed.py",
        "for pair in table.pairs if pair.separates)",
        "for pair in table.pairs)",
        (
            "tests/contracts/protocol/log/test_limited_run.py::test_pairs_are_those_whose_limits_separate_cheats_from_work",
        ),
    ),
    "gradient: it need not lead to the end": Mutant(
        "verifier/replay/holding.py",
        "if measured.end != held.end:",
        "if False:",
        ("tests/verifier/replay/test_holding.py::test_a_gradient_that_leads_elsewhere_is_refused",),
    ),
    "gradient: another than the committed one": Mutant(
        "verifier/replay/holding.py",
        "if measured.gradient != held.gradient:",
        "if False:",
        ("tests/verifier/replay/test_holding.py::test_another_gradient_than_the_committed_one_is_refused",),
    ),
    "gradient: any size": Mutant(
        "verifier/replay/holding.py",
        "    if measured.size != held.size:\n",
        "    if False:\n",
        ("tests/verifier/replay/test_holding.py::test_nan_and_other_layouts_are_refused",),
    ),
    "bytes: a spoilt file is read": Mutant(
        "contracts/files/blob_files.py",
        "        if blake3(data).hexdigest() != name:\n",
        "        if False:\n",
        ("tests/verifier/replay/test_holding.py::test_a_spoilt_file_is_removed_and_missing",),
    ),
    "weights: whoever names some is believed": Mutant(
        "verifier/replay/files.py",
        "        if _is(tensors, digest):\n",
        "        if True:\n",
        ("tests/verifier/replay/test_holding.py::test_weights_are_taken_from_whoever_names_the_right_ones",),
    ),
    "merge: whatever a file holds is merged": Mutant(
        "verifier/replay/combining.py",
        "    if to_hex(state_digest(tensors)) != digest:\n",
        "    if False:\n",
        ("tests/verifier/replay/test_combining.py::test_a_file_that_is_not_the_gradient_is_never_merged",),
    ),
    "has: what was refused is held": Mutant(
        "verifier/duties/hold.py",
        "    return not refused\n",
        "    return True\n",
        ("tests/verifier/duties/test_doing.py::test_a_gradient_that_does_not_lead_to_its_end_is_never_held",),
    ),
    "seen: also after the beacon": Mutant(
        "verifier/duties/see.py",
        "        if now < duty.beacon_time:\n",
        "        if True:\n",
        ("tests/verifier/duties/test_doing.py::test_seen_is_said_only_before_the_beacons_block",),
    ),
    "secret: before the beacon is final": Mutant(
        "verifier/duties/reveal.py",
        "        if world.chain.final()[0] < block:\n",
        "        if False:\n",
        ("tests/verifier/duties/test_doing.py::test_a_secret_is_shown_once_the_beacon_is_final_here",),
    ),
    "words: others than were said": Mutant(
        "verifier/duties/read.py",
        "    if world.memory.word(reading.proof, root, word.segment, WORDS[word.word]):\n",
        "    if True:\n",
        ("tests/verifier/duties/test_doing.py::test_a_restart_never_says_another_class_of_word",),
    ),
    "words: unserved at once": Mutant(
        "verifier/duties/read.py",
        "if replayed is not None or not reading.overdue:",
        "if replayed is not None:",
        ("tests/verifier/duties/test_doing.py::test_bytes_that_take_more_than_half_a_period_are_unserved",),
    ),
    "epoch: signed while the log lacks a message": Mutant(
        "verifier/duties/epochs.py",
        "and _all_entered(world, duty.epoch, index, counts(index + 1)):",
        ":",
        ("tests/verifier/duties/test_doing.py::test_no_epoch_is_signed_while_the_log_lacks_held_messages",),
    ),
    "memory: a word may change": Mutant(
        "verifier/signing/memory.py",
        "            if stored not in (word, Word.UNSERVED):\n",
        "            if False:\n",
        ("tests/verifier/signing/test_memory.py::test_a_word_is_never_another_one",),
    ),
    "log: a block is what the operator says": Mutant(
        "verifier/replica/replica.py",
        "        if block != expected:\n",
        "        if False:\n",
        ("tests/verifier/replica/test_replica.py::test_a_block_that_the_operator_made_up_is_refused",),
    ),
    "log: signatures are believed": Mutant(
        "verifier/replica/replica.py",
        "self._follower.checked = not trusted",
        "self._follower.checked = False",
        ("tests/verifier/replica/test_replica.py::test_a_changed_signature_is_refused",),
    ),
    "log: a derived entry is believed": Mutant(
        "contracts/protocol/log/follower.py",
        "        if not self.due or entry != self.due[0]:\n",
        "        if not self.due:\n",
        ("tests/verifier/replica/test_replica.py::test_a_derived_entry_that_does_not_follow_is_refused",),
    ),
    "time: looks count though nobody else has the entry": Mutant(
        "verifier/duties/lapse.py",
        "look.counts(r.verifiers, r.k, chain, a.since + 1, admitted)",
        "look.counts(r.verifiers, r.k, chain, 0, admitted)",
        ("tests/verifier/duties/test_lapse.py::test_no_time_passes_while_the_others_lack_the_entry",),
    ),
    "fault: signed on a branch that nobody else has": Mutant(
        "verifier/duties/faults.py",
        " or not counts(world.faults_seen[duty])",
        "",
        ("tests/verifier/duties/test_doing.py::test_a_fault_is_signed_once_others_hold_what_shows_it",),
    ),
    "signatures: the accused among its judges": Mutant(
        "contracts/bindings/verifier_registry.py",
        "name in admitted and name.lower() != accused.lower()",
        "name in admitted",
        ("tests/verifier/quorum/test_on_a_chain.py::test_the_accused_is_not_among_those_who_bring_its_fault",),
    ),
    "time: looks that saw nobody count": Mutant(
        "verifier/mirror/store/stopwatch.py",
        "step if sight.counts else 0.0",
        "step",
        ("tests/verifier/mirror/store/test_stopwatch.py::test_a_look_that_does_not_count_adds_nothing",),
    ),
    "time: one's own deadline waits for looks that count": Mutant(
        "verifier/duties/read.py",
        "world.stopwatch.asked(absence_of",
        "world.stopwatch.passed(absence_of",
        ("tests/verifier/duties/test_doing.py::test_who_is_singled_out_says_unserved_in_its_time",),
    ),
    "time: bytes are late for who could ask nobody": Mutant(
        "verifier/mirror/store/stopwatch.py",
        "own if sight.reached else 0.0",
        "own",
        ("tests/verifier/duties/test_doing.py::test_who_is_cut_off_calls_nothing_unserved",),
    ),
    "words: a false waits for the rest": Mutant(
        "verifier/duties/read.py",
        "WORDS[word.word] in AGAINST",
        "False",
        ("tests/verifier/duties/test_doing.py::test_what_speaks_against_a_segment_waits_for_no_other",),
    ),
    "words: one slow segment keeps the others back": Mutant(
        "verifier/duties/read.py",
        " and not reading.late",
        "",
        ("tests/verifier/duties/test_doing.py::test_a_slow_segment_keeps_no_quick_one_back",),
    ),
    "time: an outage makes nodes look quick": Mutant(
        "verifier/mirror/store/stopwatch.py",
        '"seconds": chain - arrival.opened',
        '"seconds": 0.0',
        ("tests/verifier/duties/test_lapse.py::test_an_outage_makes_no_slow_node_look_quick",),
    ),
    "time: who lapsed has a measure": Mutant(
        "verifier/duties/lapse.py",
        "for node in current.proofs:",
        "for node in run.nodes:",
        ("tests/verifier/duties/test_lapse.py::test_what_others_called_missing_is_no_measure",),
    ),
    "time: who dawdles has longer each round": Mutant(
        "verifier/duties/lapse_periods.py",
        "min(most, max(least, keep(times * passed)))",
        "max(least, keep(times * passed))",
        ("tests/verifier/duties/test_lapse_periods.py::test_a_dawdling_node_delays_no_more_than_an_absent_one",),
    ),
    "time: who delivered nothing last round is a newcomer": Mutant(
        "verifier/duties/lapse_periods.py",
        "if name in run.nodes}",
        "if name in run.nodes and run.nodes[name].delivered}",
        ("tests/verifier/duties/test_lapse_periods.py::test_who_was_late_once_has_its_own_time_in_the_next_round",),
    ),
    "time: a quick one hurries newcomers": Mutant(
        "verifier/duties/lapse_periods.py",
        "max(FIRST_PERIODS * period, TIMES_NEW",
        "max(period, TIMES_NEW",
        ("tests/verifier/duties/test_lapse_periods.py::test_a_newcomer_has_a_multiple_of_what_the_slowest_took",),
    ),
    "time: removed verifiers are waited for": Mutant(
        "verifier/mirror/exchange/handing_on.py",
        "remaining = names if admitted is None else names & {name.lower() for name in admitted}",
        "remaining = names",
        ("tests/verifier/duties/test_lapse.py::test_who_stays_needs_nobody_who_was_removed",),
    ),
    "time: one goes on alone where others were removed": Mutant(
        "verifier/mirror/exchange/handing_on.py",
        "max(len(remaining) - k, min(1, len(names) - k, len(remaining) - 1))",
        "len(remaining) - k",
        ("tests/verifier/duties/test_lapse.py::test_though_others_were_removed_nobody_goes_on_alone",),
    ),
    "signatures: old rounds' verifiers are waited for": Mutant(
        "verifier/duties/lapse.py",
        "    going = (run for run in state.runs.values() if not run.over)\n",
        "    going = state.runs.values()\n",
        ("tests/verifier/duties/test_lapse.py::test_a_round_that_is_long_over_keeps_nobody_from_signing",),
    ),
    "has: one job for each commitment to a file": Mutant(
        "verifier/duties/hold.py",
        "Request(HOLD, question.name, ",
        "Request(HOLD, name, ",
        ("tests/verifier/duties/test_doing.py::test_commitments_to_one_file_are_one_question",),
    ),
    "time: the chain runs ahead": Mutant(
        "verifier/mirror/store/stopwatch.py",
        "self._ahead = min(most, self._ahead - step)",
        "self._ahead -= step",
        ("tests/verifier/mirror/store/test_stopwatch.py::test_the_chain_is_ahead_by_a_part_of_the_shortest_period",),
    ),
    "lapse: what a mirror shows is missing": Mutant(
        "verifier/mirror/store/stopwatch.py",
        "if stored is None or sight.shown else step",
        "if stored is None else step",
        ("tests/verifier/mirror/store/test_stopwatch.py::test_what_a_mirror_showed_is_not_missing",),
    ),
    "lapse: released twice": Mutant(
        "verifier/mirror/store/stopwatch.py",
        "_RELEASE, _key(missing)).rowcount == 1",
        "_RELEASE, _key(missing)) is not None",
        ("tests/verifier/mirror/store/test_stopwatch.py::test_a_lapse_is_released_once",),
    ),
    "blobs: bytes of another name are kept": Mutant(
        "verifier/mirror/store/blobs.py",
        "        if name != self._name:\n",
        "        if False:\n",
        ("tests/verifier/mirror/store/test_blobs.py::test_wrong_bytes_leave_nothing",),
    ),
    "node: one head is enough": Mutant(
        "trainer/log_view/heads.py",
        "return descending[k - 1] if 0 < k <= len(descending) else 0",
        "return descending[0] if descending else 0",
        ("tests/trainer/log_view/test_covered.py::test_one_verifier_alone_covers_nothing",),
    ),
    "node: a head under any key counts": Mutant(
        "trainer/log_view/heads.py",
        "verify_cosignature(parse_note(note), VerifierKey(verifier, SignatureType.COSIGNATURE, key))",
        "pass",
        ("tests/trainer/log_view/test_covered.py::test_a_head_under_another_verifiers_name_counts_for_nobody",),
    ),
    "node: a name stands for the newest message": Mutant(
        "trainer/exchange/keeping.py",
        "        if existing is not None:\n            return existing\n",
        "",
        ("tests/trainer/exchange/test_keeping.py::test_a_name_stands_for_one_message_for_ever",),
    ),
    "node: weights by name": Mutant(
        "trainer/node/states.py",
        "return tensors if to_hex(state_digest(tensors)) == digest else None",
        "return tensors",
        ("tests/trainer/node/test_parts.py::test_weights_come_by_digest_from_any_source_and_are_kept",),
    ),
    "node: boundaries of any commitment": Mutant(
        "trainer/node/boundaries.py",
        "return trajectory if fits and root in (None, trajectory.root) else None",
        "return trajectory if fits else None",
        ("tests/trainer/node/test_boundaries.py::test_what_does_not_fit_is_trained_anew",),
    ),
    "restart: from any log": Mutant(
        "trainer/log_view/rest.py",
        'or self._root(size).hex() != head["root"]',
        "",
        ("tests/trainer/log_view/test_rest.py::test_what_does_not_fit_is_ignored",),
    ),
    "replay: two states always compare equal": Mutant(
        "verifier/comparison/compare.py",
        "if boundary_entry(claimed) == boundary_entry(replayed):",
        "if True:",
        ("tests/verifier/comparison/test_bounded.py::test_exact_mode_measures_what_it_rejects",),
    ),
    "Merkle path: any path leads to any root": Mutant(
        "contracts/merkle/positional_tree.py",
        "if last != 0 or node != root:",
        "if False:",
        (f"{TREE}test_every_inclusion_proof_holds_only_in_its_place",),
    ),
    "blobs: bytes that came are not hashed": Mutant(
        "trainer/client.py",
        "if blake3(data).hexdigest() != name:",
        "if False:",
        ("tests/trainer/test_client.py::test_bytes_that_are_not_of_their_name_are_refused",),
    ),
    "blobs: the cache is not hashed": Mutant(
        "trainer/client.py",
        "return data if blake3(data).hexdigest() == name else None",
        "return data",
        ("tests/trainer/test_client.py::test_a_spoilt_cache_is_not_read",),
    ),
    "decision: a number is read before it is measured": Mutant(
        "contracts/protocol/run_config.py",
        "    if not _WHOLE.fullmatch(value):\n",
        "    if not value.isdecimal():\n",
        (f"{OUTSIDERS}test_decision_numbers.py::test_an_odd_number_in_a_decision_is_refused",),
    ),
    "indexer: what a lagging node lacks is passed over": Mutant(
        "ledger/chainread/indexer.py",
        'events = read_block(ledger, to_hex(block["hash"]))',
        "events = [event for _, read in read_range(ledger, number, number) for event in read]",
        ("tests/ledger/chainread/test_indexer.py::test_a_node_that_lags_behind_is_waited_for",),
    ),
    "signature": Mutant(
        "contracts/messages/signatures.py",
        "if recovered != to_checksum_address(signer):",
        "if False:",
        ("tests/contracts/messages/test_signatures.py::test_foreign_chain_or_contract_is_refused",),
    ),
    "log: any two heads are consistent": Mutant(
        "contracts/merkle/positional_tree.py",
        "if old != first_root or new != second_root:",
        "if False:",
        (f"{TREE}test_consistency_proofs_hold_and_a_rewritten_past_fails",),
    ),
    "lease: an expired holder may write": Mutant(
        "ledger/relay/leases.py",
        "if row is None or row.token != lease.token:",
        "if row is None:",
        ("tests/ledger/relay/test_leases.py::test_who_slept_through_its_end_can_neither_write_nor_send",),
    ),
    "outbox: a block is believed without its hash": Mutant(
        "ledger/relay/confirmations.py",
        "call.state != CallState.SIGNED and view.hash_of(cast(int, call.block)) == call.block_hash",
        "call.state != CallState.SIGNED",
        ("tests/ledger/relay/test_outbox.py::test_a_block_is_known_by_its_hash_and_not_by_its_number",),
    ),
    "outbox: lack of a receipt frees a nonce": Mutant(
        "ledger/relay/confirmations.py",
        "if external is None or external in {attempt.hash for attempt in attempts}:",
        "if False:",
        ("tests/ledger/relay/test_outbox.py::test_without_an_external_transaction_nothing_is_resigned",),
    ),
    "indexer: the cursor moves from anywhere": Mutant(
        "ledger/chainread/indexer.py",
        "    if row != cursor:\n        return False\n",
        "",
        ("tests/ledger/chainread/test_indexer.py::test_the_cursor_moves_only_from_where_it_was_read",),
    ),
    "indexer: a replaced final block is read over": Mutant(
        "ledger/chainread/indexer.py",
        "    if now != cursor.hash:\n",
        "    if False:\n",
        ("tests/ledger/chainread/test_indexer.py::test_a_replaced_final_block_stops_the_indexer",),
    ),
    "audit: any entries will do": Mutant(
        "contracts/mirrors/reading.py",
        "            check_bundle(entries, self._tiles.tile(tile_of(0, index, self.size)))\n",
        "",
        (f"{READING}test_a_file_with_another_byte_is_refused",),
    ),
    "audit: a block is what the log says": Mutant(
        "verifier/log/blocks.py",
        "        if expected == block:\n",
        "        if expected.number == block.number:\n",
        (f"{AUDIT}blocks_and_roots.py::test_another_block_is_answered_with_the_chains",),
    ),
    "audit: any root of the chain": Mutant(
        "verifier/log/roots.py",
        "        if not matching:\n",
        "        if not roots:\n",
        (f"{AUDIT}blocks_and_roots.py::test_another_root_is_a_finding",),
    ),
    "audit: a root over any log": Mutant(
        "verifier/log/roots.py",
        "elif self._root_of(state.log_size) != state.log_root:",
        "elif not roots:",
        (f"{AUDIT}blocks_and_roots.py::test_another_root_is_a_finding",),
    ),
    "audit: two logs are one": Mutant(
        "verifier/log/two_logs.py",
        "    if prefix == head.root:\n",
        "    if len(prefix) == len(head.root):\n",
        (f"{AUDIT}two_logs.py::test_heads_of_two_logs_convict",),
    ),
    "audit: what is due at the end may be missing": Mutant(
        "verifier/log/auditing.py",
        "            machine.finish()\n",
        "",
        (f"{AUDIT}auditing.py::test_a_finding_says_what_was_due",),
    ),
    "receipt: any key of a verifier": Mutant(
        "verifier/receipt/checking.py",
        "if keys.get(witness.name) != witness.key.public or",
        "if",
        (f"{RECEIPT}checking.py::test_one_thing_changed_is_refused_with_its_code",),
    ),
    "receipt: any path to the head": Mutant(
        "verifier/receipt/checking.py",
        "SHA256_TREE.check_consistency(epoch.logSize, self._head.size, epoch.logRoot, self._head.root, path)",
        "pass",
        (f"{RECEIPT}checking.py::test_one_thing_changed_is_refused_with_its_code",),
    ),
    "receipt: lines need no proof": Mutant(
        "verifier/receipt/checking.py",
        "check_proof(leaf, [from_hex(node) for node in line.proof], self.epoch.root)",
        "pass",
        (f"{RECEIPT}checking.py::test_one_thing_changed_is_refused_with_its_code",),
    ),
    "receipt: lines may be hidden": Mutant(
        "verifier/receipt/checking.py",
        "        if missing:\n",
        "        if False:\n",
        (f"{RECEIPT}checking.py::test_one_thing_changed_is_refused_with_its_code",),
    ),
    "receipt: the receipt's own policy counts": Mutant(
        "verifier/receipt/checking.py",
        "    chosen = brought or own\n",
        "    chosen = own\n",
        (f"{RECEIPT}checking.py::test_ones_own_policy_is_not_the_receipts",),
    ),
    "receipt: anybody's work": Mutant(
        "verifier/receipt/work.py",
        'if self._enrolled.get(entry.node, "").lower() != self._account:',
        "if False:",
        (f"{RECEIPT}work.py::test_what_does_not_belong_together_is_refused",),
    ),
    "receipt: one mirror signs for all": Mutant(
        "verifier/receipt/heads.py",
        "    verify_cosignature(own, key)\n",
        "",
        (f"{RECEIPT}heads.py::test_no_mirror_spoils_the_head_of_the_others",),
    ),
    "verify: any state is the opened one": Mutant(
        "verifier/proof/case.py",
        "KECCAK_TREE.check_inclusion(state, message.boundary, count, path, root)",
        "pass",
        ("tests/verifier/proof/test_case.py::test_what_does_not_belong_together_is_refused",),
    ),
    "verify: a commitment to anything": Mutant(
        "verifier/proof/case.py",
        "    if committed != expected or created.run != opened.run:\n",
        "    if False:\n",
        ("tests/verifier/proof/test_case.py::test_what_does_not_belong_together_is_refused",),
    ),
    "verify: a folder's entries need no log": Mutant(
        "verifier/proof/bundle.py",
        '    proof.check(entry["body"].encode(), Policy((PolicyLog(log),), (), (), NONE))\n',
        "",
        ("tests/verifier/proof/test_case.py::test_a_folder_that_was_changed_is_refused",),
    ),
    "fsck: any blob is announced": Mutant(
        "ledger/fsck/judged.py",
        "    yield from _compare_announced(session, derived)\n",
        "",
        ("tests/ledger/fsck/test_fsck.py::test_an_edit_under_a_fitting_seal_is_found_and_named",),
    ),
}

SOLIDITY: dict[str, Mutant] = {
    "node fault: k signatures": Mutant(
        "VerifierRegistry.sol",
        "_checkHeader(model_, deadline);\n        _checkSignatures(digest, signatures);",
        "_checkHeader(model_, deadline);",
        ("tests/contracts/bindings/test_node_stakes.py::test_only_k_sorted_signatures_of_staked_verifiers_slash",),
    ),
    "challenge window": Mutant(
        "EpochRoots.sol",
        "if (block.timestamp < epoch.closesAt) revert EpochRootsWindowOpen(epoch.closesAt);",
        "",
        (f"{CONTRACTS}test_a_leaf_pays_once_and_only_when_final",),
    ),
    "k signatures": Mutant(
        "VerifierSet.sol",
        "if (signatures.length < threshold) revert VerifierSetTooFewSignatures(signatures.length, threshold);",
        "",
        (f"{CONTRACTS}test_signatures_must_be_enough_sorted_and_distinct",),
    ),
    "attempt": Mutant(
        "EpochRoots.sol",
        "if (message.attempt != epoch.attempt) revert EpochRootsWrongAttempt(message.attempt, epoch.attempt);",
        "",
        (f"{CONTRACTS}test_challenges_restart_the_window_or_reject_the_root",),
    ),
    "receipt": Mutant(
        "EpochDistributor.sol",
        "if (book[place >> 8] >> (place & 255) & 1 == 1) {",
        "if (false) {",
        (f"{CONTRACTS}test_a_leaf_pays_once_and_only_when_final",),
    ),
    "final epoch": Mutant(
        "EpochDistributor.sol",
        "if (status != EpochRoots.Status.Final) return",
        "if (false) return",
        (f"{CONTRACTS}test_a_leaf_pays_once_and_only_when_final",),
    ),
    "receipt without a budget": Mutant(
        "ModelToken.sol",
        "if (reserved == 0 || amount > reserved) revert",
        "if (amount > reserved) revert",
        (f"{SPLITTER}test_nobody_spends_a_receipt_without_a_budget",),
    ),
    "refunds only of a failed round": Mutant(
        "CapitalPool.sol",
        "function refund(address account) external nonReentrant onlyIn(Status.Failed)",
        "function refund(address account) external nonReentrant",
        (f"{POOL}test_a_funded_round_mints_once_each_and_holders_pay_it_out",),
    ),
    "deposit settled once": Mutant(
        "CapitalPool.sol",
        "depositOf[account] = 0;",
        "",
        (f"{POOL}test_a_round_below_its_soft_cap_pays_everybody_back_once",),
    ),
    "no more paid out than there is": Mutant(
        "CapitalPool.sol",
        "Math.min(amount, spendable());",
        "amount;",
        (f"{POOL}test_a_funded_round_mints_once_each_and_holders_pay_it_out",),
    ),
    "sold tokens reserved": Mutant(
        "CapitalPool.sol",
        "token.reserve(tokensFor(whole) - tokensFor(first));",
        "",
        (f"{POOL}test_no_vote_takes_what_was_sold",),
    ),
    "buyers asked before the sweep": Mutant(
        "CapitalPool.sol",
        "if (block.timestamp < releaseAt()) revert CapitalPoolBuyersMayLeave(releaseAt());",
        "",
        (f"{POOL}test_a_funded_round_mints_once_each_and_holders_pay_it_out",),
    ),
    "deposit measured": Mutant(
        "CapitalPool.sol",
        "if (received != accepted) revert CapitalPoolAmountChanged(received, accepted);",
        "",
        (f"{POOL}test_a_currency_that_takes_a_fee_is_refused",),
    ),
    "share released once": Mutant(
        "RevenueSplitter.sol",
        "if (released[id][account]) revert RevenueSplitterAlreadyReleased(id, account);",
        "",
        (f"{SPLITTER}test_a_later_transfer_or_a_delegation_moves_no_share",),
    ),
    "shares by balance, not by votes": Mutant(
        "RevenueSplitter.sol",
        "return token.tokenSeconds(account, d.until - window, d.until);",
        "return token.getPastVotes(account, d.until) * window;",
        (f"{SPLITTER}test_a_later_transfer_or_a_delegation_moves_no_share",),
    ),
    "arbiter": Mutant(
        "EpochRoots.sol",
        "        onlyRole(ARBITER_ROLE)\n    {\n        Epoch storage",
        "    {\n        Epoch storage",
        (f"{CONTRACTS}test_no_key_holds_power_after_genesis",),
    ),
    "the timelock of its own model": Mutant(
        "ModelRegistry.sol",
        "if (msg.sender != timelock) revert ModelRegistryNotTimelock(model, msg.sender);",
        "",
        ("tests/contracts/bindings/test_two_models.py::test_a_timelock_commands_its_own_model_only",),
    ),
    "payout proof": Mutant(
        "EpochDistributor.sol",
        "MerkleProof.verifyCalldata(proof, root, receipt);",
        "true;",
        (f"{CONTRACTS}test_a_leaf_pays_once_and_only_when_final",),
    ),
}

SLICE = (
    "replay: the verifier does not look at the result",
    "gradient: it need not lead to the end",
    "log: a block is what the operator says",
    "node: one head is enough",
    "indexer: the cursor moves from anywhere",
    "outbox: lack of a receipt frees a nonce",
)
"""Those that `make test` tries; `make test-long` tries all."""
