// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cheats} from "./Cheats.sol";
import {PromisesHandler} from "./PromisesHandler.sol";

/// @title Each buyer ends with tokens or money, and each share of a final epoch is paid, in every history
contract PromisesInvariants is Cheats {
    PromisesHandler private _handler;

    function setUp() external {
        _handler = new PromisesHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @notice As long as a history lasts nothing of the round's money moves too early; its end is asked below.
    /// forge-config: default.invariant.runs = 2000
    /// forge-config: default.invariant.depth = 50
    /// forge-config: long.invariant.runs = 50000
    /// forge-config: long.invariant.depth = 200
    function invariant_promises() external view {
        vm.assertEq(_handler.early(), 0, "no money of the round moved before its buyers could leave");
        _handler.checkGovernor();
    }

    function afterInvariant() external {
        _handler.settleAll();
    }

    /// @notice The handler gets where the promises are about something.
    function test_histories_reach_buyers_shares_and_who_leaves() external {
        bytes4[9] memory actions = [
            _handler.deposit.selector, _handler.usePower.selector, _handler.settle.selector, _handler.claim.selector,
            _handler.takeBack.selector, _handler.mintBeneath.selector, _handler.recover.selector, _handler.deposit.selector,
            _handler.decide.selector
        ];
        for (uint256 i = 0; i < 200; ++i) {
            uint256 drawn = _derive(13, i);
            bytes4 action = i < 20 ? (i % 2 == 0 ? _handler.deposit.selector : _handler.settle.selector)
                : actions[drawn % actions.length];
            (bool done,) = address(_handler).call(abi.encodePacked(action, drawn >> 8));
            vm.assertTrue(done, "no action reverts");
        }
        _handler.settleAll();
        vm.assertGe(_handler.shares(), 4, "shares that were paid");
        vm.assertGe(_handler.decided(), 2, "decisions that were carried out");
        vm.assertGe(_handler.bought() + _handler.left(), 2, "buyers who ended with tokens or money");
    }
}
