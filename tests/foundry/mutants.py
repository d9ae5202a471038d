"""Bugs seeded into the contracts, each with the forge test that must notice it."""

from __future__ import annotations

from tests.removed_checks.mutants import Mutant

SOLIDITY = "contracts/solidity/"
TESTS = "contracts/foundry/test/"
ROOTS = f"{TESTS}Roots.t.sol::testFuzz_"
CLAIMS = f"{TESTS}Claims.t.sol::testFuzz_"
MANY = f"{TESTS}ClaimMany.t.sol::testFuzz_"
VOTES = f"{TESTS}Votes.t.sol::testFuzz_votes_are_the_balances_of_who_lends_them"
FUNDS = f"{TESTS}Funds.t.sol::"
STAKES = f"{TESTS}Stakes.t.sol::invariant_stakes"
EPOCHS = f"{TESTS}Withdrawals.t.sol::testFuzz_a_withdrawal_waits_for_two_epochs_that_closed_after_it"
STRANGER = f"{TESTS}Governance.t.sol::testFuzz_a_stranger_can_use_no_power"
REFUND = f"{FUNDS}testFuzz_below_the_soft_cap_all_comes_back_and_no_token_is_made"
SALE = f"{FUNDS}testFuzz_a_round_that_succeeded_sells_at_one_price_and_is_paid_out_once"
FLOOR = f"{TESTS}Governance.t.sol::testFuzz_the_first_holder_is_no_quorum_below_the_floor"
SHARE = f"{FUNDS}testFuzz_a_transfer_after_the_window_changes_no_share"

TOKEN, DISTRIBUTOR = f"{SOLIDITY}ModelToken.sol", f"{SOLIDITY}EpochDistributor.sol"
VERIFIERS, NODES = f"{SOLIDITY}VerifierSet.sol", f"{SOLIDITY}NodeStakes.sol"
EPOCH_ROOTS, PAYMENTS = f"{SOLIDITY}EpochRoots.sol", f"{SOLIDITY}PullPayments.sol"
REGISTRY, HELD = f"{SOLIDITY}VerifierRegistry.sol", f"{SOLIDITY}HeldMoney.sol"
HISTORY, ROLES = f"{SOLIDITY}BalanceHistory.sol", f"{SOLIDITY}FixedRoles.sol"
POOL, SPLITTER = f"{SOLIDITY}CapitalPool.sol", f"{SOLIDITY}RevenueSplitter.sol"
GOVERNOR = f"{SOLIDITY}ModelGovernor.sol"
PAUSE = f"{TESTS}Governance.t.sol::testFuzz_a_pause_lets_nobody_decide_alone"
OBJECTORS = f"{TESTS}Governance.t.sol::testFuzz_who_is_owed_in_a_pause_can_object_after_it"
LEAVES = f"{FUNDS}testFuzz_capital_that_leaves_again_makes_no_round_succeed"
DELAYS = f"{TESTS}Delays.t.sol::testFuzz_"
ONE_EVIDENCE = f"{DELAYS}one_evidence_costs_the_cap_however_often_it_is_shown"
HELD_WAITS = f"{DELAYS}what_verifiers_took_waits_for_the_holders"
LEFT_WAITS = f"{DELAYS}disputed_seconds_free_no_verifiers_stake"
NODE_WAITS = f"{DELAYS}disputed_seconds_free_no_node_stake"
DECISIONS = f"{TESTS}Decisions.t.sol::testFuzz_"
RESIGNS = f"{DECISIONS}whoever_resigns_what_passed_is_carried_out"
BOUNDS = f"{TESTS}Governance.t.sol::testFuzz_the_{{}}_stays_within_what_genesis_set"

MUTANTS: dict[str, Mutant] = {
    "receipt check dropped": Mutant(
        DISTRIBUTOR,
        "if (book[place >> 8] >> (place & 255) & 1 == 1) {",
        "if (false) {",
        (f"{CLAIMS}a_leaf_pays_its_account_once_whoever_asks",),
    ),
    "leaves beyond the first word pay again": Mutant(
        DISTRIBUTOR, "else book[word] |= bit;", "", (f"{MANY}the_same_line_twice_pays_once",)
    ),
    "leaves of a word share a bit": Mutant(
        DISTRIBUTOR,
        "(place >> 8, 1 << (place & 255));",
        "(place >> 8, 1 << 255);",
        (f"{MANY}any_epochs_and_accounts_are_paid_in_one_call",),
    ),
    "an index of any size": Mutant(
        DISTRIBUTOR, "leaf.index <= type(uint64).max && ", "", (f"{MANY}no_line_keeps_another_from_being_paid",)
    ),
    "a payee of nothing stops the others": Mutant(
        DISTRIBUTOR, " || to == address(0);", ";", (f"{MANY}no_line_keeps_another_from_being_paid",)
    ),
    "an amount of any size stops the others": Mutant(
        DISTRIBUTOR,
        "Math.saturatingAdd(book[0] & PAID_MASK, leaf.amount);",
        "(book[0] & PAID_MASK) + leaf.amount;",
        (f"{MANY}no_line_keeps_another_from_being_paid",),
    ),
    "a line that is refused stops the others": Mutant(
        DISTRIBUTOR,
        "bytes memory reason = _payOwn(leaf, line.proof);",
        "bytes memory reason = _payOwn(leaf, line.proof);\n            _require(reason);",
        (f"{MANY}what_was_paid_meanwhile_is_passed_over_and_named",),
    ),
    "who is passed over is not named": Mutant(
        DISTRIBUTOR,
        "else emit PassedOver(line.epoch, line.index, line.account, reason);",
        "",
        (f"{MANY}what_was_paid_meanwhile_is_passed_over_and_named",),
    ),
    "many lines claimed for a contract": Mutant(
        DISTRIBUTOR,
        "bytes memory reason = _payOwn(leaf, line.proof);",
        "bytes memory reason = _pay(leaf, line.proof, leaf.account);",
        (f"{MANY}a_contract_claims_many_for_itself_alone",),
    ),
    "votes that are lent stay one's own": Mutant(
        TOKEN, "if (units > 0) _setBalance(account, units, clock());", "", (VOTES,)
    ),
    "lent votes stay with whom they were lent": Mutant(
        TOKEN, "if (from.lent) _lend(from.delegatee, _lent[from.delegatee].latest() - amount);", "", (VOTES,)
    ),
    "lent votes do not come": Mutant(
        TOKEN, "if (to.lent) _lend(to.delegatee, _lent[to.delegatee].latest() + amount);", "", (VOTES,)
    ),
    "own votes are all that count": Mutant(
        TOKEN, "return holder.borrows ? own + _lent[account].latest() : own;", "return own;", (VOTES,)
    ),
    "a past second has its own votes only": Mutant(
        TOKEN,
        "return _holders[account].borrows ? own + _lent[account].upperLookupRecent(time) : own;",
        "return own;",
        (VOTES,),
    ),
    "an event tells lent votes only": Mutant(
        TOKEN, "uint256 has = getVotes(to.delegatee);", "uint256 has = _lent[to.delegatee].latest() + amount;", (VOTES,)
    ),
    "a receipt takes lent votes back": Mutant(
        TOKEN,
        "if (delegates(to) == address(0)) _delegate(to, to);",
        "_delegate(to, to);",
        (f"{TESTS}Votes.t.sol::testFuzz_a_receipt_gives_votes_that_are_lent_to_nobody",),
    ),
    "a holder spends more than it has": Mutant(
        TOKEN,
        "if (balance < value) revert ERC20InsufficientBalance(from, balance, value);",
        "if (balance < value) value = balance;",
        (f"{TESTS}Votes.t.sol::testFuzz_nobody_sends_more_than_it_has",),
    ),
    "the newest balance stands for the past": Mutant(
        HISTORY, "if (time < uint48(entries[middle])) high = middle;", "if (false) high = middle;", (VOTES,)
    ),
    "a recent balance stands for the past": Mutant(
        HISTORY, "if (time < uint48(entries[recent])) high = recent;", "if (false) high = recent;", (VOTES,)
    ),
    "no change is remembered": Mutant(
        HISTORY, "if (count == 0 || uint48(last) != time) ++count;", "if (count == 0) ++count;", (VOTES,)
    ),
    "total cap dropped": Mutant(
        TOKEN, "Math.min(budget, cap - others);", "budget;", (f"{CLAIMS}the_cap_holds_for_all_minters_together",)
    ),
    "a budget above the cap is cut": Mutant(
        TOKEN, "if (budget > cap) revert", "if (false) revert", (f"{CLAIMS}the_cap_holds_for_all_minters_together",)
    ),
    "dust annuls a decision on budgets": Mutant(
        TOKEN,
        "uint256 granted = Math.min(budget, cap - others);",
        "uint256 granted = budget;\n"
        "        if (others + granted > cap) revert ModelTokenCapExceeded(others + granted, cap);",
        (f"{DECISIONS}no_deposit_annuls_a_decision_on_budgets",),
    ),
    "who withdraws gives back what holders took": Mutant(
        TOKEN,
        "Math.min(amount, grantedTo[msg.sender] - budget);",
        "amount;",
        (f"{DECISIONS}no_deposit_annuls_a_decision_on_budgets",),
    ),
    "what is let go of stays allotted": Mutant(
        TOKEN, "allotted -= amount - back;", "", (f"{DECISIONS}what_is_let_go_of_gives_no_budget_back",)
    ),
    "who resigns annuls its removal": Mutant(VERIFIERS, "if (!_verifiers.contains(verifier)) return;", "", (RESIGNS,)),
    "a friend's resignation annuls a removal": Mutant(
        VERIFIERS, "_verifiers.length() + resigned;", "_verifiers.length();", (RESIGNS,)
    ),
    "who is left signs alone": Mutant(
        VERIFIERS,
        "_checkThreshold(threshold);",
        "if (_verifiers.length() < threshold) threshold = _verifiers.length();",
        (RESIGNS,),
    ),
    "a slip removes too many": Mutant(
        VERIFIERS, "_checkThreshold(threshold);", "", (f"{DECISIONS}whoever_resigns_a_threshold_is_judged_alike",)
    ),
    "who is admitted annuls its admission": Mutant(
        VERIFIERS,
        "if (!_verifiers.contains(verifier) && stakeOf[verifier] == 0) _admit(verifier);",
        "_admit(verifier);",
        (f"{DECISIONS}what_is_so_already_annuls_no_batch",),
    ),
    "what was paid annuls a decision on it": Mutant(
        HELD,
        "if (heldOf[ground][account].amount > 0) _payHeld(",
        "_payHeld(",
        (f"{DECISIONS}what_is_so_already_annuls_no_batch",),
    ),
    "a lapse annuls a batch": Mutant(
        EPOCH_ROOTS,
        "if (!last || epoch.status != Status.Disputed) return;",
        "_requireStatus(epochNumber, Status.Disputed);\n        if (!last) return;",
        (f"{DECISIONS}a_dispute_that_is_over_annuls_no_batch",),
    ),
    "a dispute is decided twice": Mutant(
        EPOCH_ROOTS,
        "if (!last || epoch.status != Status.Disputed) return;",
        "if (!last) return;",
        (f"{DECISIONS}a_dispute_is_decided_once",),
    ),
    "a decision falls on the next dispute": Mutant(
        EPOCH_ROOTS,
        "if (!last || epoch.status",
        "if (epoch.status",
        (f"{DECISIONS}a_dispute_that_is_over_annuls_no_batch",),
    ),
    "a decision on a dispute that never was": Mutant(
        EPOCH_ROOTS,
        "if (!_opened[dispute]) revert",
        "if (false) revert",
        (f"{ROOTS}a_decision_falls_on_the_dispute_it_names_alone",),
    ),
    "mint without debit of the reserve": Mutant(
        TOKEN,
        "reservedOf[msg.sender] = reserved - amount;\n        if (delegates(to)",
        "if (delegates(to)",
        (f"{CLAIMS}nobody_mints_without_a_budget_nor_beyond_it",),
    ),
    "reserve without debit of the budget": Mutant(
        TOKEN,
        "budgetOf[msg.sender] = budget - amount;",
        "",
        (f"{CLAIMS}nobody_mints_without_a_budget_nor_beyond_it",),
    ),
    "a pause after a pause": Mutant(
        TOKEN,
        "if (block.timestamp < earliest) revert ModelTokenPauseTooSoon(earliest);",
        "",
        (f"{CLAIMS}a_pause_of_claims_has_an_end",),
    ),
    "a root that reserves nothing": Mutant(
        EPOCH_ROOTS,
        "distributor.reserve(message.total);",
        "",
        (f"{CLAIMS}a_root_above_what_can_be_reserved_is_refused",),
    ),
    "a root that fell keeps its reserve": Mutant(
        EPOCH_ROOTS, "distributor.release(total);", "", (f"{TESTS}Settlement.t.sol::invariant_settlement",)
    ),
    "a decision without its root": Mutant(
        EPOCH_ROOTS,
        "abi.encode(epochNumber, root, challengedAt)",
        "abi.encode(epochNumber, challengedAt)",
        (f"{ROOTS}a_decision_falls_on_the_dispute_it_names_alone",),
    ),
    "a decision without its opening": Mutant(
        EPOCH_ROOTS,
        "abi.encode(epochNumber, root, challengedAt)",
        "abi.encode(epochNumber, root)",
        (f"{ROOTS}a_decision_falls_on_the_dispute_it_names_alone",),
    ),
    "what passed lives for ever": Mutant(
        GOVERNOR,
        "block.timestamp > proposalDeadline(id) + grace ? ProposalState.Expired : found;",
        "found;",
        (f"{TESTS}Governance.t.sol::testFuzz_what_passed_lives_for_a_stated_time",),
    ),
    "what is queued lives for ever": Mutant(
        f"{SOLIDITY}ModelTimelock.sol",
        "block.timestamp > getTimestamp(id) + GRACE",
        "false",
        (f"{TESTS}Governance.t.sol::testFuzz_what_passed_lives_for_a_stated_time",),
    ),
    "a timelock of any delay": Mutant(
        f"{SOLIDITY}ModelTimelock.sol",
        "if (newDelay < leastDelay || newDelay > mostDelay) revert",
        "if (false) revert",
        (BOUNDS.format("delay"),),
    ),
    "a vote of any length": Mutant(
        GOVERNOR,
        "if (value < allowed.least || value > allowed.most) revert",
        "if (false) revert",
        (BOUNDS.format("vote"),),
    ),
    "objections twice": Mutant(
        GOVERNOR,
        "if (found.cast[msg.sender]) revert ModelGovernorObjectionCast(id, msg.sender);",
        "",
        (f"{TESTS}Governance.t.sol::testFuzz_objections_that_outweigh_the_votes_cancel",),
    ),
    "objections of borrowed tokens": Mutant(
        GOVERNOR,
        "getVotes(msg.sender, second);",
        "token().getVotes(msg.sender);",
        (f"{TESTS}Governance.t.sol::testFuzz_objections_weigh_what_was_held_before",),
    ),
    "claim before final": Mutant(
        DISTRIBUTOR,
        "if (status != EpochRoots.Status.Final) return",
        "if (false) return",
        (f"{CLAIMS}nothing_is_claimable_before_the_root_is_final",),
    ),
    "claims beyond the epoch's total": Mutant(
        DISTRIBUTOR,
        "if (sum > total) return",
        "if (false) return",
        (f"{CLAIMS}an_epoch_pays_no_more_than_its_total",),
    ),
    "a share sent elsewhere without a signature": Mutant(
        DISTRIBUTOR,
        "if (!SignatureChecker.isValidSignatureNow(account, digest, signature)) revert",
        "if (false) revert",
        (f"{CLAIMS}a_share_goes_elsewhere_only_under_its_accounts_signature",),
    ),
    "anybody claims for a contract": Mutant(
        DISTRIBUTOR,
        "if (leaf.account.code.length > DELEGATION_SIZE && msg.sender != leaf.account) {",
        "if (false) {",
        (f"{CLAIMS}nobody_claims_for_a_contract_but_itself",),
    ),
    "signature sort skipped": Mutant(
        VERIFIERS,
        "if (signer <= previous) revert",
        "if (false) revert",
        (f"{ROOTS}fewer_than_k_or_the_same_signature_again_are_no_quorum",),
    ),
    "no attempt in the digest": Mutant(
        EPOCH_ROOTS,
        "return _hashTypedDataV4(keccak256(abi.encode(EPOCH_ROOT_TYPEHASH, message)));",
        "EpochRoot memory bare = message; bare.attempt = 0;"
        " return _hashTypedDataV4(keccak256(abi.encode(EPOCH_ROOT_TYPEHASH, bare)));",
        (f"{ROOTS}signatures_under_a_rejected_root_do_not_serve_again",),
    ),
    "attempt not compared": Mutant(
        EPOCH_ROOTS,
        "if (message.attempt != epoch.attempt) revert",
        "if (false) revert",
        (f"{ROOTS}signatures_under_a_rejected_root_do_not_serve_again",),
    ),
    "epoch total without a limit": Mutant(
        EPOCH_ROOTS,
        "if (message.total > maxEpochTotal) revert",
        "if (false) revert",
        (f"{ROOTS}the_limit_of_an_epoch_is_what_governance_set",),
    ),
    "signers without stake": Mutant(
        VERIFIERS,
        "if (stakeOf[signer] < minStake) revert",
        "if (false) revert",
        (f"{ROOTS}strangers_and_verifiers_without_stake_do_not_count",),
    ),
    "window not restarted": Mutant(
        EPOCH_ROOTS,
        "epoch.status = Status.Proposed;\n            epoch.closesAt = uint64(block.timestamp) + challengeWindow;",
        "epoch.status = Status.Proposed;",
        (f"{ROOTS}a_failed_challenge_restarts_the_window",),
    ),
    "challenge after the window": Mutant(
        EPOCH_ROOTS,
        "if (block.timestamp >= epoch.closesAt) revert",
        "if (false) revert",
        (f"{ROOTS}a_root_is_disputed_in_its_window_only_and_for_the_bond_only",),
    ),
    "a dispute never lapses": Mutant(
        EPOCH_ROOTS,
        "if (block.timestamp < lapsesAt) revert",
        "if (lapsesAt > 0) revert",
        (f"{ROOTS}a_dispute_that_nobody_decides_lapses_after_its_limit",),
    ),
    "a dispute lapses at once": Mutant(
        EPOCH_ROOTS,
        "if (block.timestamp < lapsesAt) revert",
        "if (false) revert",
        (f"{ROOTS}a_dispute_that_nobody_decides_lapses_after_its_limit",),
    ),
    "the bond of a lapsed dispute stays": Mutant(
        EPOCH_ROOTS, "else _payOrOwe(NOBODY, held);", "", (f"{DECISIONS}a_dispute_that_is_over_annuls_no_batch",)
    ),
    "an early challenger loses its bond": Mutant(EPOCH_ROOTS, "epoch.early = votesSince == 0;", "", (STAKES,)),
    "delays never become cheaper": Mutant(
        EPOCH_ROOTS,
        "fruitless > quiet ? fruitless - quiet : 0;",
        "fruitless;",
        (f"{DELAYS}delays_become_cheaper_with_quiet_time",),
    ),
    "a dispute is a quiet time": Mutant(
        EPOCH_ROOTS,
        " - (_disputed() - _disputedAtFruitless)",
        "",
        (f"{ROOTS}each_dispute_that_came_to_nothing_doubles_the_bond_to_a_limit",),
    ),
    "disputes free node stakes": Mutant(
        NODES, "pending.availableAt + _disputed() - pending.disputed;", "pending.availableAt;", (NODE_WAITS,)
    ),
    "disputes free verifiers' stakes": Mutant(
        EPOCH_ROOTS, " + _disputed() - disputedAtRemoval[verifier]", "", (LEFT_WAITS,)
    ),
    "what verifiers took is the timelock's at once": Mutant(
        HELD, "|| block.timestamp < held.freeAt", "", (HELD_WAITS,)
    ),
    "what verifiers took is the timelock's before votes exist": Mutant(
        HELD, "votesSince > 0 && block.timestamp >= votesSince + _decisionTime();", "true;", (STAKES,)
    ),
    "held money paid twice": Mutant(
        HELD, "delete heldOf[ground][account];", "", (f"{DECISIONS}what_is_so_already_annuls_no_batch",)
    ),
    "held money goes to the other one": Mutant(HELD, "back ? account : NOBODY;", "back ? NOBODY : account;", (STAKES,)),
    "anybody decides what is held": Mutant(
        HELD, "bool back) external onlyRole(ARBITER_ROLE) {", "bool back) external {", (STRANGER,)
    ),
    "a resigned verifier has its stake at once": Mutant(
        VERIFIERS,
        "removedAt[verifier] = uint64(block.timestamp);",
        "",
        (STAKES,),
    ),
    "a fault on an empty stake is spent": Mutant(
        VERIFIERS,
        "punishedBy[message.evidence][message.verifier] = before + amount;",
        "punishedBy[message.evidence][message.verifier] = slashCap;",
        (ONE_EVIDENCE,),
    ),
    "lapsed disputes do not count": Mutant(
        EPOCH_ROOTS,
        "_endDispute(epoch, true);",
        "_endDispute(epoch, false);",
        (f"{ROOTS}each_dispute_that_came_to_nothing_doubles_the_bond_to_a_limit",),
    ),
    "the bond doubles for ever": Mutant(
        EPOCH_ROOTS,
        "Math.min(_fruitlessNow() + 1, MAX_DOUBLINGS)",
        "_fruitlessNow() + 1",
        (f"{ROOTS}each_dispute_that_came_to_nothing_doubles_the_bond_to_a_limit",),
    ),
    "slash without debit": Mutant(VERIFIERS, "stakeOf[verifier] -= amount;", "", (STAKES,)),
    "stake paid out twice": Mutant(VERIFIERS, "stakeOf[msg.sender] = 0;", "", (LEFT_WAITS,)),
    "fault punished twice": Mutant(
        VERIFIERS, "punishedBy[message.evidence][message.verifier] = before + amount;", "", (ONE_EVIDENCE,)
    ),
    "judge of its own case": Mutant(VERIFIERS, "if (signers[i] == accused) revert", "if (false) revert", (STAKES,)),
    "a signer leaves its open root": Mutant(
        EPOCH_ROOTS,
        "if (signers[i] == verifier) return true;",
        "if (signers[i] == verifier) return false;",
        (f"{DECISIONS}who_signed_an_open_root_has_no_stake_back",),
    ),
    "debt paid twice": Mutant(
        PAYMENTS, "owed[msg.sender] = 0;", "", (f"{ROOTS}what_a_challenger_does_not_take_waits_for_it_once",)
    ),
    "anybody arbitrates": Mutant(
        EPOCH_ROOTS,
        "onlyRole(ARBITER_ROLE)\n    {\n        Epoch storage epoch = _epochs[epochNumber];",
        "{\n        Epoch storage epoch = _epochs[epochNumber];",
        (STRANGER,),
    ),
    "a removed verifier waits two windows only": Mutant(
        EPOCH_ROOTS,
        "secondSettled <= removed && block.timestamp < free;",
        "block.timestamp < removed + 2 * uint256(challengeWindow);",
        (STAKES,),
    ),
    "only the first signer answers": Mutant(
        EPOCH_ROOTS, "_signers[message.epoch] = signers;", "_signers[message.epoch].push(signers[0]);", (STAKES,)
    ),
    "node stake without a delay": Mutant(
        NODES, "uint64(block.timestamp) + nodeWithdrawalDelay;", "uint64(block.timestamp);", (STAKES,)
    ),
    "node stake is free after one epoch": Mutant(REGISTRY, "return secondSettled;", "return lastSettled;", (EPOCHS,)),
    "epochs that closed before count": Mutant(
        NODES, "_secondSettled() > pending.requestedAt;", "_secondSettled() > 0;", (EPOCHS,)
    ),
    "an epoch of the second of the request counts": Mutant(
        NODES, "_secondSettled() > pending.requestedAt;", "_secondSettled() >= pending.requestedAt;", (EPOCHS,)
    ),
    "epochs do not count": Mutant(NODES, "_secondSettled() > pending.requestedAt;", "false;", (EPOCHS,)),
    "a second request keeps the time of the first": Mutant(
        NODES,
        "pending.requestedAt = uint64(block.timestamp);",
        "if (pending.requestedAt == 0) pending.requestedAt = uint64(block.timestamp);",
        (EPOCHS,),
    ),
    "an older epoch replaces a closing": Mutant(
        EPOCH_ROOTS, "else if (settledAt > secondSettled) secondSettled", "else secondSettled", (EPOCHS,)
    ),
    "an epoch closes in the future": Mutant(
        EPOCH_ROOTS,
        "if (message.settledAt > block.timestamp) revert",
        "if (false) revert",
        (f"{ROOTS}no_root_is_of_an_epoch_that_closes_in_the_future",),
    ),
    "node stake withdrawn twice": Mutant(NODES, "delete pendingWithdrawalOf[msg.sender];", "", (NODE_WAITS,)),
    "anybody decides": Mutant(
        f"{SOLIDITY}ModelRegistry.sol", "if (msg.sender != timelock) revert", "if (false) revert", (STRANGER,)
    ),
    "pool refunds twice": Mutant(POOL, "depositOf[account] = 0;", "", (REFUND,)),
    "pool without a hard cap": Mutant(POOL, "Math.min(amount, hardCap - deposited);", "amount;", (SALE,)),
    "anybody pays out of the pool": Mutant(
        POOL,
        "function pay(address to, uint256 amount) external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE)",
        "function pay(address to, uint256 amount) external nonReentrant",
        (STRANGER,),
    ),
    "pool pays out what it has not": Mutant(POOL, "Math.min(amount, spendable());", "amount;", (SALE,)),
    "dust that leaves annuls a payment": Mutant(
        POOL,
        "if (paid == 0) return;",
        "if (paid < amount) revert CapitalPoolBalanceMissing(paid, amount);",
        (f"{FUNDS}testFuzz_dust_that_leaves_cuts_a_payment",),
    ),
    "a surplus that is fetched annuls a decision": Mutant(
        POOL,
        "if (balance <= kept) return;",
        "if (balance <= kept) revert CapitalPoolDepositTooSmall(0);",
        (f"{FUNDS}testFuzz_a_surplus_is_fetched_once_and_refused_to_nobody",),
    ),
    "revenue is shared in a pause": Mutant(
        SPLITTER,
        "if (token.pausedWithin(since, until + 1)) revert RevenueSplitterSharedInPause(since);",
        "",
        (f"{FUNDS}testFuzz_nothing_is_shared_in_a_pause_nor_soon_after",),
    ),
    "revenue is shared right after a pause": Mutant(
        SPLITTER,
        "token.pausedWithin(since, until + 1)",
        "token.mintingPaused()",
        (f"{FUNDS}testFuzz_nothing_is_shared_in_a_pause_nor_soon_after",),
    ),
    "dust objects to what abstentions let pass": Mutant(
        GOVERNOR,
        "Math.max(votes, quorum(proposalSnapshot(id)));",
        "votes;",
        (f"{DECISIONS}dust_stops_nothing_that_abstentions_let_pass",),
    ),
    "a stake of nothing is told": Mutant(
        NODES, "if (msg.value < nodeStakeStep) revert NodeStakesStepTooSmall(msg.value, nodeStakeStep);", "", (STAKES,)
    ),
    "a stake leaves in crumbs": Mutant(
        NODES, "if (amount < nodeStakeStep && amount != stake_) revert", "if (false) revert", (STAKES,)
    ),
    "a vote seats who waits for its stake": Mutant(
        VERIFIERS,
        " && stakeOf[verifier] == 0) _admit",
        ") _admit",
        (f"{DECISIONS}no_vote_keeps_the_stake_of_who_left",),
    ),
    "pool pays out at once": Mutant(
        POOL,
        "if (block.timestamp < releaseAt()) revert CapitalPoolBuyersMayLeave(releaseAt());",
        "",
        (f"{FUNDS}testFuzz_a_round_that_is_filled_at_once_pays_nobody_at_once",),
    ),
    "anybody claims for who may leave": Mutant(
        POOL,
        "if (msg.sender != account && !others) revert CapitalPoolAccountMustClaim(account);",
        "",
        (f"{FUNDS}testFuzz_nobody_claims_for_who_may_leave",),
    ),
    "anybody claims for a contract in the pool": Mutant(
        POOL,
        "account.code.length <= DELEGATION_SIZE ? releaseAt() : releaseAt() + settlement;",
        "releaseAt();",
        (f"{FUNDS}testFuzz_nobody_claims_for_who_may_leave",),
    ),
    "a full round ends": Mutant(
        POOL,
        "if (block.timestamp < deadline) return Status.Open;",
        "if (block.timestamp < deadline && deposited < hardCap) return Status.Open;",
        (f"{FUNDS}testFuzz_a_round_that_is_filled_at_once_pays_nobody_at_once",),
    ),
    "pool sells what it cannot mint": Mutant(
        POOL,
        "token.reserve(tokensFor(whole) - tokensFor(first));",
        "",
        (f"{FUNDS}testFuzz_no_deposit_beyond_the_budget",),
    ),
    "pool left after the money": Mutant(
        POOL,
        "if (found == Status.Succeeded && block.timestamp >= releaseAt()) "
        "revert CapitalPoolMoneyReleased(releaseAt());",
        "",
        (SALE,),
    ),
    "deposits leave under a second address": Mutant(
        POOL,
        "if (left < held()) revert",
        "if (false) revert",
        (f"{FUNDS}testFuzz_deposits_stay_though_the_currency_has_a_second_address",),
    ),
    "shares rounded down": Mutant(
        SPLITTER,
        "Math.Rounding.Ceil",
        "Math.Rounding.Floor",
        (f"{FUNDS}testFuzz_a_whole_unit_that_was_earned_is_paid",),
    ),
    "one ballot may burn all gas": Mutant(
        GOVERNOR,
        "this.castVoteBySig{gas: BALLOT_GAS}(",
        "this.castVoteBySig(",
        (f"{TESTS}Governance.t.sol::testFuzz_a_ballot_that_burns_its_gas_does_not_stop_the_rest",),
    ),
    "no floor under the quorum": Mutant(
        GOVERNOR, "Math.max(super.quorum(timepoint), quorumFloor);", "super.quorum(timepoint);", (FLOOR,)
    ),
    "a vote gives a role to a key": Mutant(
        ROLES,
        "if (address(this).code.length > 0 && account != _roleHolder()) revert",
        "if (false) revert",
        (f"{TESTS}Governance.t.sol::testFuzz_no_vote_gives_a_role_to_a_key",),
    ),
    "a vote lets a key propose": Mutant(
        f"{SOLIDITY}ModelTimelock.sol",
        "if (!decides || account != governor) revert",
        "if (false) revert",
        (f"{TESTS}Governance.t.sol::testFuzz_no_vote_gives_a_role_to_a_key",),
    ),
    "objections of before the vote's end": Mutant(
        GOVERNOR,
        "if (second < proposalDeadline(id)) revert",
        "if (false) revert",
        (f"{TESTS}Governance.t.sol::testFuzz_objections_weigh_what_was_held_before",),
    ),
    "a window of a second": Mutant(SPLITTER, "until - window;\n", "until - 1;\n", (f"{FUNDS}invariant_funds",)),
    "splitter by present balance": Mutant(
        SPLITTER,
        "uint256 held = _heldFor(d, account);\n        if (held == 0) revert",
        "uint256 held = token.balanceOf(account) * window;\n        if (held == 0) revert",
        (SHARE,),
    ),
    "a balance's line begins anywhere": Mutant(
        HISTORY, "((last >> BELOW_BALANCE) - balance) * time", "0", (f"{FUNDS}invariant_funds",)
    ),
    "the supply has no history": Mutant(
        HISTORY, "(last >> BELOW_BALANCE) + value, false, time);", "0, false, time);", (f"{FUNDS}invariant_funds",)
    ),
    "share released twice": Mutant(SPLITTER, "released[id][account] = true;", "", (SHARE,)),
    "the supply is the zero address's": Mutant(
        TOKEN,
        "_raiseSupply(value, time);",
        "_raiseSupply(value, time);\n            _raiseBalance(from, value, time);",
        (f"{FUNDS}invariant_funds",),
    ),
    "the splitter shares in what it pays": Mutant(
        SPLITTER,
        "if (account == address(this) || account == address(0)) return 0;",
        "",
        (f"{FUNDS}invariant_funds",),
    ),
    "who decides has what was taken": Mutant(HELD, "back ? account : NOBODY;", "back ? account : timelock;", (STAKES,)),
    "who decides has the signers' stake": Mutant(
        EPOCH_ROOTS, "_payOrOwe(NOBODY, sum);", "_payOrOwe(timelock, sum);", (STAKES,)
    ),
    "one ground for all that a proof cost": Mutant(
        NODES, 'abi.encode("proof", message.proof, before)', 'abi.encode("proof", message.proof, 0)', (STAKES,)
    ),
    "the governor relays": Mutant(
        GOVERNOR,
        "revert ModelGovernorRelayClosed(target, value, data);",
        "_checkGovernance(); (bool done,) = target.call{value: value}(data);"
        " if (!done) revert ModelGovernorRelayClosed(target, value, data);",
        (f"{TESTS}Promises.t.sol::test_histories_reach_buyers_shares_and_who_leaves",),
    ),
    "the governor leaves its timelock": Mutant(
        GOVERNOR,
        "public pure override {\n        revert ModelGovernorTimelockFixed(address(newTimelock));",
        "public override {\n        super.updateTimelock(newTimelock);",
        (f"{TESTS}Governance.t.sol::testFuzz_no_vote_acts_beside_its_proposal",),
    ),
    "anybody executes past the governor": Mutant(
        f"{SOLIDITY}ModelTimelock.sol",
        "if (msg.sender != governor) revert ModelTimelockNotGovernor(msg.sender);",
        "",
        (f"{TESTS}Governance.t.sol::testFuzz_what_passed_lives_for_a_stated_time",),
    ),
    "proposals before tokens": Mutant(
        GOVERNOR,
        "if (_token().getPastTotalSupply(clock() - 1) == 0) revert ModelGovernorNobodyHolds();",
        "",
        (f"{TESTS}Governance.t.sol::testFuzz_nothing_is_proposed_before_tokens_exist",),
    ),
    "a pause lets who has claimed decide": Mutant(
        GOVERNOR, "if (!_couldClaim(id)) return ProposalState.Defeated;", "", (PAUSE,)
    ),
    "a pause counts at the snapshot alone": Mutant(
        GOVERNOR, "pausedWithin(draft.proposedAt,", "pausedWithin(uint48(proposalSnapshot(id)),", (PAUSE,)
    ),
    "any call of the token's ends a pause": Mutant(GOVERNOR, "keccak256(calldatas[i]) != end", "false", (PAUSE,)),
    "a pause is forgotten": Mutant(
        TOKEN, "_pauses.push(clock(), pausedUntil);", "", (f"{CLAIMS}every_pause_is_remembered",)
    ),
    "a pause that was ended goes on": Mutant(TOKEN, "_pauses.push(began, pausedUntil);", "began;", (OBJECTORS,)),
    "what passed is executed in a pause": Mutant(GOVERNOR, "_checkObjectors(id);", "", (OBJECTORS,)),
    "who took tokens makes a round succeed": Mutant(
        POOL, "deposited - refunded >= softCap ?", "deposited - refunded >= softCap || claimed > 0 ?", (LEAVES,)
    ),
    "holders spend what is others'": Mutant(
        POOL, "status() == Status.Succeeded ? held() : claimed - paidOut;", "held();", (LEAVES,)
    ),
    "deposits leave in the last second": Mutant(
        POOL,
        "if (block.timestamp >= withdrawUntil) revert CapitalPoolDepositsStay(deadline);",
        "",
        (f"{FUNDS}testFuzz_deposits_stay_in_the_last_quarter",),
    ),
}

SLICE = ("receipt check dropped", "slash without debit")
"""What the suite tries, the second one in its long part; `make mutants` tries all."""
