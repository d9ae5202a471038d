// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EpochRoots} from "commonweight/EpochRoots.sol";
import {Cheats} from "./Cheats.sol";
import {SettlementHandler} from "./SettlementHandler.sol";

/// @title What holds after every step of every history from roots to tokens
contract SettlementInvariants is Cheats {
    SettlementHandler private _handler;

    function setUp() external {
        _handler = new SettlementHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev One campaign for all properties: forge would play the same histories again for each.
    function invariant_settlement() external view {
        supply_is_what_was_minted_and_never_above_the_cap();
        what_is_owed_is_reserved();
        for (uint64 epoch = 1; epoch <= _handler.open(); ++epoch) {
            an_epoch_pays_what_was_claimed_and_at_most_its_final_total(epoch);
            _handler.checkReceipts(epoch);
        }
        for (uint64 epoch = 1; epoch < _handler.open(); ++epoch) a_final_epoch_is_the_proposed_one(epoch);
    }

    function supply_is_what_was_minted_and_never_above_the_cap() private view {
        uint256 supply = _handler.token().totalSupply();
        vm.assertEq(supply, _handler.minted() + _handler.beneath(), "supply is the sum of the mints");
        vm.assertEq(supply, _handler.balances() + _handler.beneath(), "supply is the sum of the balances");
        uint256 budgets = _of(address(_handler.distributor())) + _of(address(_handler.pool()));
        vm.assertEq(_handler.token().allotted(), supply + budgets, "what is allotted is supply, budgets and reserves");
        vm.assertLe(_handler.token().allotted(), _handler.token().cap(), "both together are not above the cap");
    }

    function _of(address minter) private view returns (uint256) {
        return _handler.token().budgetOf(minter) + _handler.token().reservedOf(minter);
    }

    /// @dev No vote and no other minter takes what a root pays: it is reserved from its proposal on.
    function what_is_owed_is_reserved() private view {
        uint256 owed = 0;
        for (uint64 epoch = 1; epoch <= _handler.open(); ++epoch) {
            EpochRoots.Epoch memory state = _handler.registry().epochOf(epoch);
            owed += state.total - _handler.distributor().paid(epoch);
        }
        vm.assertEq(_handler.token().reservedOf(address(_handler.distributor())), owed, "all that roots may still pay");
    }

    function an_epoch_pays_what_was_claimed_and_at_most_its_final_total(uint64 epoch) private view {
        uint256 paid = _handler.distributor().paid(epoch);
        vm.assertEq(paid, _handler.paidIn(epoch), "paid is the sum of the claims");
        EpochRoots.Epoch memory state = _handler.registry().epochOf(epoch);
        bool done = state.status == EpochRoots.Status.Final;
        vm.assertLe(paid, done ? state.total : 0, "paid is within the final total, and nothing before");
    }

    function a_final_epoch_is_the_proposed_one(uint64 epoch) private view {
        EpochRoots.Epoch memory state = _handler.registry().epochOf(epoch);
        vm.assertTrue(state.status == EpochRoots.Status.Final, "epochs are final in order");
        vm.assertEq(state.total, _handler.totalOf(epoch), "the final total is the proposed one");
        vm.assertLe(state.total, _handler.registry().maxEpochTotal(), "the total is within the limit");
    }

    /// @notice The handler gets where the properties are about something.
    function test_histories_reach_claims_disputes_and_the_end_of_the_budget() external {
        bytes4[6] memory actions = [
            _handler.settle.selector,
            _handler.propose.selector,
            _handler.challenge.selector,
            _handler.resolve.selector,
            _handler.finalize.selector,
            _handler.claim.selector
        ];
        for (uint256 i = 0; i < 200; ++i) {
            uint256 drawn = _derive(11, i);
            bytes4 action = actions[drawn % actions.length];
            uint256 argument = action == _handler.resolve.selector ? (drawn >> 8) % 2 : drawn;
            (bool done,) = address(_handler).call(abi.encodePacked(action, argument));
            vm.assertTrue(done, "no action reverts");
        }
        vm.assertGe(_handler.claims(), 20, "claims");
        vm.assertGe(_handler.rejected(), 1, "roots that fell");
        uint256 left = _handler.token().budgetOf(address(_handler.distributor()));
        vm.assertLe(left * 5, _handler.budget(), "nearly all of the budget is owed or paid");
    }
}
