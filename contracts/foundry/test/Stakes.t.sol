// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VerifierRegistry} from "commonweight/VerifierRegistry.sol";
import {Cheats} from "./Cheats.sol";
import {StakesHandler} from "./StakesHandler.sol";

/// @title What holds of the coins in a registry after every step of every history
contract StakesInvariants is Cheats {
    StakesHandler private _handler;

    function setUp() external {
        _handler = new StakesHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev One campaign for all properties: forge would play the same histories again for each.
    function invariant_stakes() external view {
        the_balance_is_stakes_and_open_bonds_and_node_stakes_and_what_is_owed();
        every_account_has_what_the_rules_give_it();
        what_was_taken_is_nobodys();
        the_open_epoch_has_the_signers_and_disputes_that_were_seen();
    }

    function the_balance_is_stakes_and_open_bonds_and_node_stakes_and_what_is_owed() private view {
        VerifierRegistry registry = _handler.registry();
        address[] memory accounts = _handler.accounts();
        uint256 sum = _handler.openBonds() + _handler.heldInAll();
        for (uint256 i = 0; i < accounts.length; ++i) {
            (uint256 withdrawing,,,) = registry.pendingWithdrawalOf(accounts[i]);
            sum += registry.stakeOf(accounts[i]) + registry.nodeStakeOf(accounts[i]) + withdrawing;
            sum += registry.owed(accounts[i]);
        }
        vm.assertEq(address(registry).balance, sum, "the balance is what the registry owes somebody");
    }

    function every_account_has_what_the_rules_give_it() private view {
        VerifierRegistry registry = _handler.registry();
        address[] memory accounts = _handler.accounts();
        for (uint256 i = 0; i < accounts.length; ++i) {
            address one = accounts[i];
            (uint256 withdrawing, uint64 requestedAt, uint64 availableAt,) = registry.pendingWithdrawalOf(one);
            vm.assertEq(registry.stakeOf(one), _handler.stakeOf(one), "stake");
            vm.assertEq(registry.nodeStakeOf(one), _handler.nodeStakeOf(one), "node stake");
            vm.assertEq(withdrawing, _handler.withdrawingOf(one), "being withdrawn");
            vm.assertEq(requestedAt, _handler.requestedAt(one), "when it was asked for");
            vm.assertEq(availableAt, _handler.availableAt(one), "when it can be withdrawn at the latest");
            vm.assertEq(registry.removedAt(one), _handler.removedAt(one), "when it was removed");
            vm.assertEq(registry.owed(one), _handler.owedTo(one), "owed");
        }
    }

    function the_open_epoch_has_the_signers_and_disputes_that_were_seen() private view {
        VerifierRegistry registry = _handler.registry();
        uint64 open = registry.finalizedEpochs() + 1;
        address[] memory signers = registry.signersOf(open);
        address[] memory seen = _handler.signers();
        vm.assertEq(signers.length, seen.length, "as many signers");
        for (uint256 i = 0; i < seen.length; ++i) vm.assertEq(signers[i], seen[i], "each signer");
        vm.assertEq(registry.epochOf(open).disputes, _handler.disputes(), "disputes");
        vm.assertEq(registry.bondNow(), _handler.nextBond(), "the bond doubles with each that came to nothing");
    }

    /// @dev Who decides that somebody loses must not have it.
    function what_was_taken_is_nobodys() private view {
        vm.assertEq(_handler.registry().NOBODY().balance, _handler.forfeited(), "what was taken is burnt");
        vm.assertEq(address(_handler.timelock()).balance, 0, "and the holders gain nothing by it");
    }
}
