// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {NodeStakes} from "commonweight/NodeStakes.sol";
import {EpochRoots} from "commonweight/EpochRoots.sol";
import {Genesis} from "./Genesis.sol";

/// @title When a node's stake is paid back
contract WithdrawalsTest is Genesis {
    address private constant NODE = address(0x40DE);
    uint256 private constant EPOCHS = 6;
    uint256 private constant STAKE = 100 * NODE_STEP;

    function setUp() external {
        vm.warp(1 days);
        _deploy(new ModelRegistry(), "Withdrawals", 3);
        _stakeAll();
        vm.deal(NODE, STAKE);
        vm.prank(NODE);
        registry.stakeNode{value: STAKE}();
    }

    /// @notice Epochs become final in their order, and settle in any: what counts is how many settle more than the request's time.
    function testFuzz_a_withdrawal_waits_for_two_epochs_that_closed_after_it(uint256 seed) external {
        _settle(_now());
        _settle(_now());
        _wait(1);
        uint256 asked = _ask();
        uint256 later = 0;
        for (uint256 i = 0; i < EPOCHS; ++i) {
            uint256 settledAt = _between(_derive(seed, i), asked - 1, asked + 1);
            _settle(settledAt);
            if (settledAt > asked) ++later;
            if (seed % 4 == 0 && i == 3) (asked, later) = (_ask(), 0);
            if (later < 2) _isLocked();
        }
        if (later < 2) return;
        _pay();
    }

    function testFuzz_without_epochs_a_withdrawal_is_paid_after_the_delay(uint256 early, uint256 late) external {
        uint256 waited = _between(early, 0, NODE_DELAY - 1);
        _ask();
        _wait(waited);
        _isLocked();
        _wait(NODE_DELAY - waited + _between(late, 0, 10 * uint256(NODE_DELAY)));
        _pay();
    }

    function _ask() private returns (uint256 asked) {
        vm.prank(NODE);
        registry.requestNodeWithdrawal(NODE_STEP);
        (, uint64 requestedAt, uint64 availableAt,) = registry.pendingWithdrawalOf(NODE);
        asked = requestedAt;
        vm.assertEq(asked, _now(), "the time of the last request");
        vm.assertEq(availableAt, _now() + NODE_DELAY, "the latest time of the payment");
    }

    function _isLocked() private {
        bytes memory call = abi.encodeCall(registry.withdrawNodeStake, (NODE));
        _refuse(NODE, address(registry), 0, call, NodeStakes.NodeStakesWithdrawalLocked.selector);
    }

    function _pay() private {
        (uint256 amount,,,) = registry.pendingWithdrawalOf(NODE);
        vm.prank(NODE);
        registry.withdrawNodeStake(NODE);
        vm.assertEq(NODE.balance, amount, "all that was asked for");
    }

    /// @dev An epoch that closed at that time becomes final.
    function _settle(uint256 settledAt) private {
        EpochRoots.EpochRoot memory message = _message(keccak256("root"), 1, 1);
        message.settledAt = uint64(settledAt);
        if (settledAt > _now()) vm.warp(settledAt);
        registry.propose(message, _quorum(registry.hashEpochRoot(message)));
        _wait(WINDOW);
        registry.finalize(message.epoch);
    }
}
