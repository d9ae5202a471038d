// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HeldMoney} from "commonweight/HeldMoney.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {NodeStakes} from "commonweight/NodeStakes.sol";
import {VerifierSet} from "commonweight/VerifierSet.sol";
import {Genesis} from "./Genesis.sol";

/// @title What waits, waits to the second, and what a fault may cost is taken to the unit
contract DelaysTest is Genesis {
    address private constant NODE = address(0x40DE);
    address private constant CHALLENGER = address(0xC4A1);

    function setUp() external {
        vm.warp(1 days);
        _deploy(new ModelRegistry(), "Delays", 5);
        _stakeAll();
        vm.deal(NODE, NODE_STEP);
        vm.deal(CHALLENGER, 2 * BOND);
    }

    /// @notice Nobody is judged while an epoch is disputed: those seconds bring no stake of a node nearer.
    function testFuzz_disputed_seconds_free_no_node_stake(uint256 span, uint256 before, bool lapses) external {
        vm.prank(NODE);
        registry.stakeNode{value: NODE_STEP}();
        vm.prank(NODE);
        registry.requestNodeWithdrawal(NODE_STEP);
        (,, uint64 availableAt,) = registry.pendingWithdrawalOf(NODE);
        uint256 free = availableAt + _dispute(span, before, lapses);
        bytes memory call = abi.encodeCall(registry.withdrawNodeStake, (NODE));
        for (uint256 i = 0; i < 2; ++i) {
            vm.warp(i == 0 ? availableAt : free - 1);
            _refuse(NODE, address(registry), 0, call, NodeStakes.NodeStakesWithdrawalLocked.selector);
        }
        vm.warp(free);
        vm.prank(NODE);
        registry.withdrawNodeStake(NODE);
        vm.assertEq(NODE.balance, NODE_STEP, "and then it is paid");
        _refuse(NODE, address(registry), 0, call, NodeStakes.NodeStakesNoWithdrawal.selector);
    }

    /// @notice Nor that of a verifier who left, who has it once.
    function testFuzz_disputed_seconds_free_no_verifiers_stake(uint256 span, uint256 before, bool lapses) external {
        vm.prank(seats[4]);
        registry.resign();
        uint256 delay = _now() + NODE_DELAY;
        uint256 free = delay + _dispute(span, before, lapses);
        bytes memory call = abi.encodeCall(registry.unstake, ());
        for (uint256 i = 0; i < 2; ++i) {
            vm.warp(i == 0 ? delay : free - 1);
            _refuse(seats[4], address(registry), 0, call, VerifierSet.VerifierSetStakeLocked.selector);
        }
        vm.warp(free);
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(seats[4]);
            (bool done,) = address(registry).call(call);
            done;
        }
        vm.assertEq(seats[4].balance, MIN_STAKE, "its stake, once");
    }

    /// @notice Each dispute in vain doubles the bond, and each quiet time after it halves that again.
    function testFuzz_delays_become_cheaper_with_quiet_time(uint256 seed, uint256 quiet) external {
        uint256 inVain = _between(seed, 1, 4);
        registry.propose(_message("root", 1, 1), _quorum(registry.hashEpochRoot(_message("root", 1, 1))));
        for (uint256 i = 0; i < inVain; ++i) {
            uint256 bond = registry.bondNow();
            vm.deal(CHALLENGER, bond);
            vm.prank(CHALLENGER);
            registry.challenge{value: bond}(1);
            _resolve(1, false);
        }
        quiet = _between(quiet, 0, 6 * uint256(DISPUTE_LIMIT));
        _wait(quiet);
        uint256 fallen = quiet / DISPUTE_LIMIT;
        vm.assertEq(registry.bondNow(), _bondAfter(inVain > fallen ? inVain - fallen : 0), "the bond of now");
    }

    /// @notice What verifiers took waits until the holders can have decided, also where they could long before.
    function testFuzz_what_verifiers_took_waits_for_the_holders(uint256 waited) external {
        _mayMint(QUORUM_FLOOR);
        token.mint("votes", CHALLENGER, QUORUM_FLOOR);
        registry.noteVotes();
        _wait(2 * uint256(DISPUTE_LIMIT) + 1);
        bytes32 evidence = keccak256("evidence");
        _punish(evidence);
        bytes32 ground = keccak256(abi.encode("fault", evidence, 0));
        uint256 free = _now() + DISPUTE_LIMIT;
        _wait(_between(waited, 0, DISPUTE_LIMIT - 1));
        bytes memory call = abi.encodeCall(registry.payHeld, (ground, seats[4]));
        _refuse(NODE, address(registry), 0, call, HeldMoney.HeldMoneyStillHeld.selector);
        vm.warp(free);
        registry.payHeld(ground, seats[4]);
        vm.assertEq(registry.NOBODY().balance, SLASH_CAP, "and then it is burnt");
    }

    /// @notice One evidence costs the cap in all, however little was there the first time.
    function testFuzz_one_evidence_costs_the_cap_however_often_it_is_shown(uint256 staked) external {
        for (uint256 i = 0; i < MIN_STAKE / SLASH_CAP; ++i) _punish(bytes32(i));
        uint256 first = registry.stakeOf(seats[4]);
        _punish("shown twice");
        vm.assertEq(registry.stakeOf(seats[4]), 0, "all that was left");
        staked = _between(staked, SLASH_CAP - first, MIN_STAKE);
        _stake(seats[4], staked);
        _punish("shown twice");
        vm.assertEq(registry.stakeOf(seats[4]), staked - (SLASH_CAP - first), "the rest of the cap");
        VerifierSet.VerifierFault memory fault = _fault("shown twice");
        bytes memory call =
            abi.encodeCall(registry.punish, (fault, _quorum(registry.hashVerifierFault(fault))));
        _refuse(NODE, address(registry), 0, call, HeldMoney.HeldMoneyNothingTaken.selector);
    }

    /// @dev An epoch's root is disputed for so long, some time after now; `span` in seconds, less than the delay.
    function _dispute(uint256 span, uint256 before, bool lapses) private returns (uint256 disputed) {
        _wait(_between(before, 0, NODE_DELAY - DISPUTE_LIMIT - 1));
        registry.propose(_message("root", 1, 1), _quorum(registry.hashEpochRoot(_message("root", 1, 1))));
        vm.prank(CHALLENGER);
        registry.challenge{value: BOND}(1);
        disputed = lapses ? DISPUTE_LIMIT : _between(span, 1, DISPUTE_LIMIT - 1);
        _wait(disputed);
        if (lapses) registry.lapse(1);
        else _resolve(1, true);
    }

    function _fault(bytes32 evidence) private view returns (VerifierSet.VerifierFault memory) {
        return VerifierSet.VerifierFault(model, seats[4], evidence, uint64(_now()));
    }

    function _punish(bytes32 evidence) private {
        VerifierSet.VerifierFault memory fault = _fault(evidence);
        registry.punish(fault, _quorum(registry.hashVerifierFault(fault)));
    }
}
