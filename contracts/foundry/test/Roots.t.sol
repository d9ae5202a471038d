// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {EpochRoots} from "commonweight/EpochRoots.sol";
import {HeldMoney} from "commonweight/HeldMoney.sol";
import {PullPayments} from "commonweight/PullPayments.sol";
import {VerifierSet} from "commonweight/VerifierSet.sol";
import {Genesis} from "./Genesis.sol";
import {Stubborn} from "./StakesHandler.sol";

/// @title What k signatures under a root are good for, and for how long a root can be disputed
contract RootsTest is Genesis {
    address private constant CHALLENGER = address(0xC4A1);

    function setUp() external {
        _deploy(new ModelRegistry(), "Roots", 4);
        _stakeAll();
        vm.deal(CHALLENGER, 10 * BOND);
    }

    function testFuzz_signatures_bind_every_field(uint256 field, uint64 other) external {
        EpochRoots.EpochRoot memory message = _message(keccak256("root"), 1_000, 3);
        bytes[] memory signatures = _quorum(registry.hashEpochRoot(message));
        _alter(message, field % 10, other);
        (bool taken,) = address(registry).call(abi.encodeCall(registry.propose, (message, signatures)));
        vm.assertFalse(taken, "signatures over another message count nothing");
    }

    /// @dev Changes one field, always to a value that it had not.
    function _alter(EpochRoots.EpochRoot memory message, uint256 field, uint64 other) private pure {
        if (field == 0) message.model = keccak256(abi.encode(other));
        if (field == 1) message.epoch += other == 0 ? 1 : other % 1_000 + 1;
        if (field == 2) message.attempt += uint32(other % 1_000) + 1;
        if (field == 3) message.root = keccak256(abi.encode(other));
        if (field == 4) message.total = other % 1_000;
        if (field == 5) message.count += other % 1_000 + 1;
        if (field == 6) message.logSize += other % 1_000 + 1;
        if (field == 7) message.logRoot = keccak256(abi.encode(other));
        if (field == 8) message.deadline += other % 1_000 + 1;
        if (field == 9) message.settledAt = other % message.settledAt;
    }

    function testFuzz_fewer_than_k_or_the_same_signature_again_are_no_quorum(uint256 seed) external {
        EpochRoots.EpochRoot memory message = _message(bytes32(seed), 1_000, 3);
        bytes32 digest = registry.hashEpochRoot(message);
        uint256[] memory places = new uint256[](1);
        places[0] = seed % keys.length;
        bytes memory call = abi.encodeCall(registry.propose, (message, _signatures(digest, places)));
        _refuse(address(this), address(registry), 0, call, VerifierSet.VerifierSetTooFewSignatures.selector);
        uint256[] memory twice = new uint256[](2);
        (twice[0], twice[1]) = (places[0], places[0]);
        call = abi.encodeCall(registry.propose, (message, _signatures(digest, twice)));
        _refuse(address(this), address(registry), 0, call, VerifierSet.VerifierSetSignersNotSorted.selector);
    }

    function testFuzz_strangers_and_verifiers_without_stake_do_not_count(uint256 key) external {
        key = _between(key, 1, type(uint128).max);
        EpochRoots.EpochRoot memory message = _message(keccak256("root"), 1_000, 3);
        bytes32 digest = registry.hashEpochRoot(message);
        bytes[] memory signatures = _sorted(digest, key, keys[0]);
        bytes memory call = abi.encodeCall(registry.propose, (message, signatures));
        _refuse(address(this), address(registry), 0, call, VerifierSet.VerifierSetNotVerifier.selector);
        vm.prank(address(timelock));
        registry.admit(vm.addr(key));
        _refuse(address(this), address(registry), 0, call, VerifierSet.VerifierSetStakeTooSmall.selector);
    }

    function _sorted(bytes32 digest, uint256 one, uint256 two) private pure returns (bytes[] memory made) {
        if (vm.addr(one) > vm.addr(two)) (one, two) = (two, one);
        made = new bytes[](2);
        (made[0], made[1]) = (_sign(one, digest), _sign(two, digest));
    }

    /// @notice A root that fell stays fallen: its signatures name the attempt.
    function testFuzz_signatures_under_a_rejected_root_do_not_serve_again(bytes32 root) external {
        (EpochRoots.EpochRoot memory message, bytes[] memory signatures) = _propose(root);
        _challenge(message.epoch);
        _resolve(message.epoch, true);
        _restake();
        bytes memory same = abi.encodeCall(registry.propose, (message, signatures));
        _refuse(address(this), address(registry), 0, same, EpochRoots.EpochRootsWrongAttempt.selector);
        message.attempt = 1;
        (bool taken,) = address(registry).call(abi.encodeCall(registry.propose, (message, signatures)));
        vm.assertFalse(taken, "the next attempt needs signatures of its own");
        registry.propose(message, _quorum(registry.hashEpochRoot(message)));
    }

    function testFuzz_a_failed_challenge_restarts_the_window(uint256 before, uint256 later) external {
        (EpochRoots.EpochRoot memory message,) = _propose(keccak256("root"));
        _wait(_between(before, 0, WINDOW - 1));
        _challenge(message.epoch);
        _wait(_between(later, 0, 3 * WINDOW));
        _resolve(message.epoch, false);
        _wait(WINDOW - 1);
        bytes memory early = abi.encodeCall(registry.finalize, (message.epoch));
        _refuse(address(this), address(registry), 0, early, EpochRoots.EpochRootsWindowOpen.selector);
        _wait(1);
        registry.finalize(message.epoch);
        vm.assertTrue(registry.isFinal(message.epoch), "after a whole window it is final");
    }

    function testFuzz_a_root_is_disputed_in_its_window_only_and_for_the_bond_only(uint256 wait, uint256 value) external {
        (EpochRoots.EpochRoot memory message,) = _propose(keccak256("root"));
        bytes memory call = abi.encodeCall(registry.challenge, (message.epoch));
        value = _between(value, 0, 5 * BOND);
        if (value != BOND) _refuse(CHALLENGER, address(registry), value, call, EpochRoots.EpochRootsWrongBond.selector);
        _wait(WINDOW + _between(wait, 0, 10 * WINDOW));
        _refuse(CHALLENGER, address(registry), BOND, call, EpochRoots.EpochRootsWindowClosed.selector);
    }

    /// @notice Nobody need be able to vote: the epoch is free again, at the cost of the bond, and nobody is slashed.
    function testFuzz_a_dispute_that_nobody_decides_lapses_after_its_limit(uint256 wait, uint256 later) external {
        (EpochRoots.EpochRoot memory message,) = _propose(keccak256("root"));
        _wait(_between(wait, 0, WINDOW - 1));
        _challenge(message.epoch);
        bytes memory call = abi.encodeCall(registry.lapse, (message.epoch));
        uint256 waited = _between(wait >> 128, 0, DISPUTE_LIMIT - 1);
        _wait(waited);
        _refuse(address(this), address(registry), 0, call, EpochRoots.EpochRootsDisputeOpen.selector);
        _wait(DISPUTE_LIMIT - waited + _between(later, 0, 10 * uint256(DISPUTE_LIMIT)));
        registry.lapse(message.epoch);
        vm.assertEq(address(timelock).balance, 0, "no slash, and no bond where nobody could vote");
        bytes memory fetch = abi.encodeCall(registry.payHeld, (registry.groundOf(message.epoch, 1), CHALLENGER));
        _refuse(CHALLENGER, address(registry), 0, fetch, HeldMoney.HeldMoneyStillHeld.selector);
        uint256 snapshot = CHALLENGER.balance;
        vm.warp(_now() + NODE_DELAY);
        _refuse(CHALLENGER, address(registry), 0, fetch, HeldMoney.HeldMoneyStillHeld.selector); // nobody can vote yet
        _mayMint(QUORUM_FLOOR);
        token.mint("votes", CHALLENGER, QUORUM_FLOOR);
        registry.noteVotes();
        _wait(DISPUTE_LIMIT);
        registry.payHeld(registry.groundOf(message.epoch, 1), CHALLENGER);
        vm.assertEq(CHALLENGER.balance - snapshot, BOND, "the challenger has its bond in the end");
        vm.assertEq(registry.signersOf(message.epoch).length, 0, "nobody stands for the root that fell");
        _refuse(address(this), address(registry), 0, call, EpochRoots.EpochRootsWrongStatus.selector);
        (message,) = _propose(keccak256("root"));
        vm.assertEq(message.attempt, 1, "the next attempt");
        _wait(WINDOW);
        registry.finalize(message.epoch);
    }

    function testFuzz_each_dispute_that_came_to_nothing_doubles_the_bond_to_a_limit(uint256 kinds) external {
        (EpochRoots.EpochRoot memory message,) = _propose(keccak256("root"));
        uint64 epoch = message.epoch;
        for (uint32 i = 0; i < 12; ++i) {
            uint256 needed = _bondAfter(i);
            vm.assertEq(registry.bondNow(), needed, "the bond");
            vm.deal(CHALLENGER, 2 * needed + 1);
            bytes memory call = abi.encodeCall(registry.challenge, (epoch));
            _refuse(CHALLENGER, address(registry), needed - 1, call, EpochRoots.EpochRootsWrongBond.selector);
            _refuse(CHALLENGER, address(registry), needed + 1, call, EpochRoots.EpochRootsWrongBond.selector);
            vm.prank(CHALLENGER);
            registry.challenge{value: needed}(epoch);
            if ((kinds >> i) % 2 == 0) {
                _resolve(epoch, false);
            } else {
                _wait(DISPUTE_LIMIT);
                registry.lapse(epoch);
                _propose(keccak256("root"));
            }
        }
    }

    /// @notice What passed in the timelock for one dispute is nothing for the next, whoever of the epoch it is about.
    function testFuzz_a_decision_falls_on_the_dispute_it_names_alone(bytes32 other, uint64 when, bool upheld) external {
        (EpochRoots.EpochRoot memory message,) = _propose(keccak256("root"));
        _challenge(message.epoch);
        EpochRoots.Epoch memory first = registry.epochOf(message.epoch);
        _resolve(message.epoch, true);
        _restake();
        _wait(1);
        _propose(keccak256("root"));
        _challenge(message.epoch);
        if (other == first.root) other = bytes32(0);
        if (when == _now()) when = 0;
        if (when == first.challengedAt) when = 0;
        _notTaken(message.epoch, other, uint64(_now()), upheld);
        _notTaken(message.epoch, first.root, when, upheld);
        vm.prank(address(timelock));
        registry.resolve(message.epoch, first.root, first.challengedAt, upheld); // it is over: nothing falls
        vm.assertTrue(registry.epochOf(message.epoch).status == EpochRoots.Status.Disputed, "the next one is open");
        _resolve(message.epoch, upheld);
    }

    function _notTaken(uint64 epoch, bytes32 root, uint64 challengedAt, bool upheld) private {
        bytes memory call = abi.encodeCall(registry.resolve, (epoch, root, challengedAt, upheld));
        _refuse(address(timelock), address(registry), 0, call, EpochRoots.EpochRootsWrongDispute.selector);
    }

    /// @notice A challenger that takes no coins holds up nobody, and fetches its bond once when it takes them.
    function testFuzz_what_a_challenger_does_not_take_waits_for_it_once(uint256 later) external {
        Stubborn stubborn = new Stubborn();
        (EpochRoots.EpochRoot memory message,) = _propose(keccak256("root"));
        vm.deal(address(stubborn), BOND);
        vm.prank(address(stubborn));
        registry.challenge{value: BOND}(message.epoch);
        _resolve(message.epoch, true);
        vm.assertEq(registry.owed(address(stubborn)), BOND, "the bond waits");
        bytes memory fetch = abi.encodeCall(registry.withdraw, ());
        _refuse(address(stubborn), address(registry), 0, fetch, PullPayments.PullPaymentsTransferFailed.selector);
        _wait(_between(later, 0, 10 * WINDOW));
        stubborn.setWilling(true);
        vm.prank(address(stubborn));
        registry.withdraw();
        vm.assertEq(address(stubborn).balance, BOND, "it has its bond");
        _refuse(address(stubborn), address(registry), 0, fetch, PullPayments.PullPaymentsNothingOwed.selector);
    }

    function testFuzz_a_slash_takes_the_cap_or_all_that_is_left(uint256 faults) external {
        faults = _between(faults, 1, 5);
        address accused = seats[3];
        for (uint256 i = 0; i < faults; ++i) {
            VerifierSet.VerifierFault memory fault =
                VerifierSet.VerifierFault(model, accused, bytes32(i + 1), uint64(_now()));
            bytes memory call = abi.encodeCall(registry.punish, (fault, _quorum(registry.hashVerifierFault(fault))));
            if (registry.stakeOf(accused) == 0) {
                _refuse(CHALLENGER, address(registry), 0, call, HeldMoney.HeldMoneyNothingTaken.selector);
            } else {
                registry.punish(fault, _quorum(registry.hashVerifierFault(fault)));
            }
        }
        uint256 taken = faults * SLASH_CAP < MIN_STAKE ? faults * SLASH_CAP : MIN_STAKE;
        vm.assertEq(registry.stakeOf(accused), MIN_STAKE - taken, "the accused has the rest");
        vm.assertEq(address(timelock).balance, 0, "nothing is anybody's before holders could vote");
        vm.assertEq(address(registry).balance, seats.length * MIN_STAKE, "all of it is there");
        _mayMint(QUORUM_FLOOR);
        token.mint("votes", CHALLENGER, QUORUM_FLOOR);
        uint256 took = (taken + SLASH_CAP - 1) / SLASH_CAP;
        bytes32 last = keccak256(abi.encode("fault", bytes32(took), 0));
        registry.noteVotes();
        bytes memory early = abi.encodeCall(registry.payHeld, (last, accused));
        _refuse(accused, address(registry), 0, early, HeldMoney.HeldMoneyStillHeld.selector);
        _wait(DISPUTE_LIMIT);
        for (uint256 i = 0; i < took; ++i) registry.payHeld(keccak256(abi.encode("fault", bytes32(i + 1), 0)), accused);
        vm.assertEq(registry.NOBODY().balance, taken, "what was taken is burnt");
    }

    function testFuzz_the_limit_of_an_epoch_is_what_governance_set(uint256 limit, uint256 total) external {
        limit = _between(limit, 1, CAP);
        vm.prank(address(timelock));
        registry.setMaxEpochTotal(limit);
        total = _between(total, 1, BUDGET);
        EpochRoots.EpochRoot memory message = _message(keccak256("root"), total, 1);
        bytes memory call = abi.encodeCall(registry.propose, (message, _quorum(registry.hashEpochRoot(message))));
        if (total > limit) _refuse(address(this), address(registry), 0, call, EpochRoots.EpochRootsTotalTooLarge.selector);
        else registry.propose(message, _quorum(registry.hashEpochRoot(message)));
    }

    /// @notice An epoch closed before its root is proposed; whether it closed before others is not asked.
    function testFuzz_no_root_is_of_an_epoch_that_closes_in_the_future(uint64 settledAt, uint256 wait) external {
        _wait(_between(wait, 0, 1 days));
        EpochRoots.EpochRoot memory message = _message(keccak256("root"), 1_000, 3);
        message.settledAt = settledAt % 2 == 0 ? settledAt : uint64(_between(settledAt, 0, 2 * _now()));
        bytes memory call = abi.encodeCall(registry.propose, (message, _quorum(registry.hashEpochRoot(message))));
        if (message.settledAt > _now()) {
            _refuse(address(this), address(registry), 0, call, EpochRoots.EpochRootsSettledInFuture.selector);
            return;
        }
        registry.propose(message, _quorum(registry.hashEpochRoot(message)));
        vm.assertEq(registry.epochOf(message.epoch).settledAt, message.settledAt, "the time is kept");
    }

    function _propose(bytes32 root) private returns (EpochRoots.EpochRoot memory message, bytes[] memory signed) {
        message = _message(root, 1_000, 3);
        message.deadline += 1 days;
        signed = _quorum(registry.hashEpochRoot(message));
        registry.propose(message, signed);
    }

    function _challenge(uint64 epoch) private {
        vm.prank(CHALLENGER);
        registry.challenge{value: BOND}(epoch);
    }

    function _restake() private {
        for (uint256 i = 0; i < seats.length; ++i) _stake(seats[i], SLASH_CAP);
    }
}
