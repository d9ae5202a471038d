// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {Cheats, Vm} from "./Cheats.sol";
import {GovernanceHandler} from "./GovernanceHandler.sol";

/// @title Who can decide what, after genesis and after every step of every history
contract GovernanceInvariants is Cheats {
    GovernanceHandler private _handler;
    Vm.Log[] private _grants;

    function setUp() external {
        vm.recordLogs();
        _handler = new GovernanceHandler();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == IAccessControl.RoleGranted.selector) _grants.push(logs[i]);
        }
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev What the handler itself calls with arguments that make sense.
    function excludeSelectors() external view returns (FuzzSelector[] memory excluded) {
        excluded = new FuzzSelector[](1);
        excluded[0].addr = address(_handler);
        excluded[0].selectors = new bytes4[](1);
        excluded[0].selectors[0] = _handler.usePower.selector;
    }

    /// @dev One campaign for all properties: forge would play the same histories again for each.
    function invariant_governance() external view {
        only_the_timelock_changes_a_decision();
        no_externally_owned_account_holds_a_power();
    }

    function only_the_timelock_changes_a_decision() private view {
        ModelRegistry models = _handler.models();
        vm.assertEq(models.sequenceOf(_handler.model()), _handler.decisions(), "one decision a vote that passed");
        vm.assertEq(models.valueOf(_handler.model(), "lr"), _handler.value(), "the value is the last one voted");
        vm.assertEq(models.sequenceOf(_handler.neighbour()), 0, "another model on the same registry is untouched");
    }

    /// @dev Every role that was ever granted, on any contract, and every budget.
    function no_externally_owned_account_holds_a_power() private view {
        for (uint256 i = 0; i < _grants.length; ++i) {
            (bytes32 role, address account) = (_grants[i].topics[1], address(uint160(uint256(_grants[i].topics[2]))));
            bool openExecutor = account == address(0) && role == _handler.timelock().EXECUTOR_ROLE();
            bool held = IAccessControl(_grants[i].emitter).hasRole(role, account);
            vm.assertTrue(!held || account.code.length > 0 || openExecutor, "a role is held by a contract or by nobody");
        }
        address[] memory people = _handler.people();
        for (uint256 i = 0; i < people.length; ++i) {
            vm.assertEq(_handler.token().budgetOf(people[i]), 0, "nobody but contracts has a budget");
        }
    }

    function test_after_genesis_the_roles_are_where_the_design_puts_them() external view {
        vm.assertGe(_grants.length, 8, "grants were seen");
        no_externally_owned_account_holds_a_power();
        address timelock = address(_handler.timelock());
        address governor = address(_handler.governor());
        vm.assertTrue(_handler.token().hasRole(bytes32(0), timelock), "the timelock administers the token");
        vm.assertTrue(_handler.registry().hasRole(bytes32(0), timelock), "the timelock administers the verifiers");
        vm.assertTrue(_handler.registry().hasRole(_handler.registry().ARBITER_ROLE(), timelock), "and arbitrates");
        vm.assertTrue(_handler.pool().hasRole(bytes32(0), timelock), "the timelock administers the pool");
        vm.assertTrue(_handler.timelock().hasRole(bytes32(0), timelock), "the timelock administers itself");
        vm.assertTrue(_handler.timelock().hasRole(_handler.timelock().PROPOSER_ROLE(), governor), "the governor proposes");
        vm.assertFalse(_handler.timelock().hasRole(_handler.timelock().PROPOSER_ROLE(), timelock), "and nobody else");
        vm.assertEq(_handler.governor().timelock(), timelock, "the governor acts through the timelock");
    }

    /// @notice Any account that is no contract of the model, one by one through everything that needs a power.
    function testFuzz_a_stranger_can_use_no_power(address stranger) external {
        vm.assume(stranger.code.length == 0 && stranger != address(0));
        for (uint256 i = 0; i < _handler.powers(); ++i) _handler.usePower(stranger, i);
    }

    function test_a_vote_that_passed_is_what_stands_on_the_chain() external {
        _handler.decide(7 + 16);
        _handler.decide(3 + 16);
        _handler.decide(15);
        vm.assertEq(_handler.decisions(), 2, "two of three votes passed");
        only_the_timelock_changes_a_decision();
    }
}
