// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {EpochRoots} from "commonweight/EpochRoots.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {NodeStakes} from "commonweight/NodeStakes.sol";
import {VerifierSet} from "commonweight/VerifierSet.sol";
import {Genesis} from "./Genesis.sol";

/// @title What passed is carried out, whatever others do while it waits
contract Decisions is Genesis {
    address private constant HOLDER = address(0xA11CE);
    address private constant CHALLENGER = address(0xC4A1);
    address private constant STRANGER = address(0x57A);
    address private constant NODE = address(0x40DE);
    string private constant TEXT = "decided";

    /// @dev One batch of calls, all without value.
    address[] private _targets;
    bytes[] private _calls;

    function setUp() external {
        _deploy(new ModelRegistry(), "Decided", 4);
        _stakeAll();
        vm.deal(CHALLENGER, 10 * BOND);
        _mayMint(SPARE);
        token.mint("holder", HOLDER, SPARE);
        _wait(1);
    }

    /// @notice Cheats who resign, and friends who do, keep no seat, no stake and no dispute.
    function testFuzz_whoever_resigns_what_passed_is_carried_out(uint256 resigning) external {
        EpochRoots.Epoch memory open = _disputed();
        _add(address(registry), abi.encodeCall(registry.resolve, (1, open.root, open.challengedAt, true)));
        _add(address(registry), abi.encodeCall(registry.remove, (seats[0])));
        _add(address(registry), abi.encodeCall(registry.remove, (seats[1])));
        _pass();
        _resign(resigning);
        _execute();
        for (uint256 i = 0; i < 2; ++i) {
            vm.assertFalse(registry.isVerifier(seats[i]), "a cheat has no seat");
            vm.assertEq(registry.stakeOf(seats[i]), MIN_STAKE - SLASH_CAP, "and is slashed");
        }
        vm.assertEq(CHALLENGER.balance, 10 * BOND, "who was right has its bond");
        vm.assertEq(registry.threshold(), THRESHOLD, "who is left is not enough by itself");
    }

    /// @notice A slip is refused as if nobody had resigned, and what is none is not.
    function testFuzz_whoever_resigns_a_threshold_is_judged_alike(uint256 resigning, uint256 threshold) external {
        threshold = _between(threshold, 0, 6);
        _resign(resigning);
        bytes memory call = abi.encodeCall(registry.setThreshold, (threshold));
        if (threshold == 0 || threshold > 4) {
            _refuse(address(timelock), address(registry), 0, call, VerifierSet.VerifierSetThresholdOutOfRange.selector);
            return;
        }
        vm.prank(address(timelock));
        registry.setThreshold(threshold);
        vm.assertEq(registry.threshold(), threshold, "as decided");
        uint256 removed = 0;
        for (uint256 i = 0; i < 4; ++i) {
            if (!registry.isVerifier(seats[i])) continue;
            call = abi.encodeCall(registry.remove, (seats[i]));
            if (4 - removed == threshold) {
                _refuse(address(timelock), address(registry), 0, call, VerifierSet.VerifierSetThresholdOutOfRange.selector);
                return;
            }
            vm.prank(address(timelock));
            registry.remove(seats[i]);
            ++removed;
        }
    }

    /// @notice A dispute that lapsed while a decision on it waited takes back nothing else, nor does the next one fall.
    function testFuzz_a_dispute_that_is_over_annuls_no_batch(uint256 wait, bool again, bool upheld) external {
        EpochRoots.Epoch memory open = _disputed();
        _add(address(registry), abi.encodeCall(registry.resolve, (1, open.root, open.challengedAt, upheld)));
        _add(address(registry), abi.encodeCall(registry.remove, (seats[3])));
        _pass();
        vm.warp(open.challengedAt + DISPUTE_LIMIT + _between(wait, 0, 3 days));
        registry.lapse(1);
        vm.assertEq(registry.NOBODY().balance, BOND, "the bond is burnt");
        if (again) _dispute(2 * BOND);
        uint256 before = registry.disputedSeconds();
        _execute();
        vm.assertFalse(registry.isVerifier(seats[3]), "the rest is carried out");
        EpochRoots.Status status = again ? EpochRoots.Status.Disputed : EpochRoots.Status.None;
        vm.assertTrue(registry.epochOf(1).status == status, "the next dispute is open");
        vm.assertEq(registry.disputedSeconds(), before, "nothing was decided");
        for (uint256 i = 0; i < 4; ++i) vm.assertEq(registry.stakeOf(seats[i]), MIN_STAKE, "nobody is slashed");
    }

    /// @notice Who resigns answers for the root that it signed for as long as that is open.
    function testFuzz_who_signed_an_open_root_has_no_stake_back(uint256 wait) external {
        EpochRoots.EpochRoot memory message = _message(keccak256("false root"), 1_000, 3);
        registry.propose(message, _quorum(registry.hashEpochRoot(message)));
        _resign(1);
        _wait(NODE_DELAY + _between(wait, 0, 90 days));
        bytes memory call = abi.encodeCall(registry.unstake, ());
        _refuse(seats[0], address(registry), 0, call, VerifierSet.VerifierSetStakeLocked.selector);
        registry.finalize(1);
        vm.prank(seats[0]);
        registry.unstake();
        vm.assertEq(seats[0].balance, MIN_STAKE, "afterwards it has it");
    }

    /// @notice Who left has its stake back after the stated time, however often votes seat it again meanwhile.
    function testFuzz_no_vote_keeps_the_stake_of_who_left(bool resigns, uint256 wait) external {
        _resign(resigns ? 1 : 0);
        if (!resigns) {
            vm.prank(address(timelock));
            registry.remove(seats[0]);
        }
        _add(address(registry), abi.encodeCall(registry.admit, (seats[0])));
        _add(address(registry), abi.encodeCall(registry.remove, (seats[0])));
        _pass();
        _wait(_between(wait, 0, 7 days));
        _execute();
        vm.prank(address(timelock));
        registry.admit(seats[0]);
        vm.warp(registry.removedAt(seats[0]) + NODE_DELAY);
        vm.prank(seats[0]);
        registry.unstake();
        vm.assertEq(seats[0].balance, MIN_STAKE, "it has its stake");
        vm.assertLe(_now(), 1 + NODE_DELAY + 2, "in the time that was stated");
        vm.prank(address(timelock));
        registry.admit(seats[0]);
        vm.assertTrue(registry.isVerifier(seats[0]), "then it may be seated again");
    }

    /// @notice A second decision on a dispute that failed moves nothing, whatever it says.
    function testFuzz_a_dispute_is_decided_once(uint256 wait, bool upheld) external {
        EpochRoots.Epoch memory open = _disputed();
        _resolve(1, false);
        (uint256 balance, uint256 closesAt) = (address(registry).balance, registry.epochOf(1).closesAt);
        _add(address(registry), abi.encodeCall(registry.resolve, (1, open.root, open.challengedAt, upheld)));
        _pass();
        _wait(_between(wait, 0, 3 days));
        _execute();
        vm.assertEq(address(registry).balance, balance, "the bond is paid once");
        vm.assertEq(registry.epochOf(1).closesAt, closesAt, "no window begins anew");
        vm.assertTrue(registry.epochOf(1).status == EpochRoots.Status.Proposed, "the root stands");
    }

    /// @notice What is so already is no error, and says nothing.
    function testFuzz_what_is_so_already_annuls_no_batch(address who, bool back, bool paid) external {
        vm.assume(who != address(0));
        for (uint256 i = 0; i < 4; ++i) vm.assume(who != seats[i]);
        bytes32 ground = _held();
        _add(address(registry), abi.encodeCall(registry.decideHeld, (ground, NODE, back)));
        _add(address(registry), abi.encodeCall(registry.admit, (seats[0])));
        _add(address(registry), abi.encodeCall(registry.remove, (who)));
        _pass();
        _wait(DISPUTE_LIMIT);
        if (paid) registry.payHeld(ground, NODE);
        _execute();
        vm.assertEq(NODE.balance, back && !paid ? NODE_SLASH_CAP : 0, "decided, or paid before");
        vm.assertEq(registry.verifiers().length, 4, "as many as before");
        vm.recordLogs();
        for (uint256 i = 0; i < _calls.length; ++i) {
            vm.prank(address(timelock));
            (bool done,) = address(registry).call(_calls[i]);
            vm.assertTrue(done, "once more");
        }
        vm.assertEq(vm.getRecordedLogs().length, 0, "nothing is told");
        vm.assertEq(registry.removedAt(who), 0, "nor noted");
    }

    /// @notice A stranger's deposit, of dust or all, takes what it buys from a budget, and no decision back.
    function testFuzz_no_deposit_annuls_a_decision_on_budgets(uint256 amount) external {
        amount = _between(amount, 0, HARD_CAP);
        vm.assertEq(token.allotted(), CAP, "all is allotted");
        uint256 moved = pool.tokensFor(HARD_CAP);
        _add(address(token), abi.encodeCall(token.setBudget, (address(pool), 0)));
        _add(address(token), abi.encodeCall(token.setBudget, (address(distributor), BUDGET + moved)));
        _pass();
        if (amount > 0) _deposit(STRANGER, amount);
        _execute();
        uint256 sold = pool.tokensFor(amount);
        vm.assertEq(token.budgetOf(address(distributor)), BUDGET + moved - sold, "what the cap leaves");
        vm.assertEq(token.allotted(), CAP, "and no more");
        if (amount == 0) return;
        vm.prank(STRANGER);
        pool.withdraw();
        vm.assertEq(token.budgetOf(address(pool)), 0, "the round sells nothing");
        vm.assertEq(token.allotted(), CAP - sold, "what it let go of is for the next vote");
    }

    /// @notice What was owed when holders voted, and is let go of later, lifts no budget above what they granted.
    function testFuzz_what_is_let_go_of_gives_no_budget_back(uint256 amount, uint256 granted, uint256 later) external {
        amount = _between(amount, 1, HARD_CAP);
        granted = _between(granted, 0, pool.tokensFor(HARD_CAP - amount));
        _deposit(STRANGER, amount);
        _add(address(token), abi.encodeCall(token.setBudget, (address(pool), granted)));
        _pass();
        _execute();
        later = _between(later, 0, granted * 2 / 3);
        if (later > 0) _deposit(NODE, later);
        vm.prank(STRANGER);
        pool.withdraw();
        uint256 left = token.budgetOf(address(pool));
        vm.assertLe(left, granted, "no more than was granted");
        uint256 owed = token.reservedOf(address(pool));
        vm.assertEq(owed, pool.tokensFor(later), "what is owed is owed");
        vm.assertEq(token.allotted(), token.totalSupply() + BUDGET + left + owed, "what is let go of is not allotted");
    }

    /// @notice The price of objections: who kept silent in the vote can end what passed, in its last second. All who vote
    /// the second time are more than it.
    function testFuzz_who_was_silent_ends_one_vote_and_not_the_next(uint256 silent) external {
        silent = _between(silent, SPARE * 4 / 100 + 1, SPARE * 48 / 100);
        _share(silent, SPARE - silent - SPARE * 4 / 100);
        _add(address(token), abi.encodeCall(token.setMintingPaused, (true)));
        _pass();
        _object(TEXT);
        bytes memory late = abi.encodeCall(governor.execute, (_targets, new uint256[](1), _calls, keccak256(bytes(TEXT))));
        _refuse(STRANGER, address(governor), 0, late, IGovernor.GovernorUnexpectedProposalState.selector);
        _passBy("again", true);
        _object("again");
        governor.execute(_targets, new uint256[](1), _calls, keccak256("again"));
        vm.assertTrue(token.mintingPaused(), "all others are more");
    }

    /// @notice What passed by few votes and a quorum of abstentions is stopped by a quorum, and by no dust.
    function testFuzz_dust_stops_nothing_that_abstentions_let_pass(uint256 few, uint256 objectors) external {
        few = _between(few, 1, QUORUM_FLOOR / 2);
        objectors = _between(objectors, 1, SPARE / 3);
        _share(objectors, few);
        _add(address(token), abi.encodeCall(token.setMintingPaused, (true)));
        uint256[] memory values = new uint256[](1);
        vm.prank(HOLDER);
        uint256 id = governor.propose(_targets, values, _calls, TEXT);
        _wait(VOTING_DELAY + 1);
        vm.prank(HOLDER);
        governor.castVote(id, 2);
        vm.prank(NODE);
        governor.castVote(id, 1);
        _wait(VOTING_PERIOD);
        uint256 needed = governor.quorum(governor.proposalSnapshot(id));
        _object(TEXT);
        bool stopped = governor.state(id) == IGovernor.ProposalState.Canceled;
        vm.assertTrue(stopped == (objectors > needed && objectors > few), "a quorum stops it, and no dust");
    }

    /// @dev The holder gives two others tokens, which vote.
    function _share(uint256 strangers, uint256 nodes) private {
        vm.startPrank(HOLDER);
        token.transfer(STRANGER, strangers);
        token.transfer(NODE, nodes);
        vm.stopPrank();
        vm.prank(STRANGER);
        token.delegate(STRANGER);
        vm.prank(NODE);
        token.delegate(NODE);
        _wait(1);
    }

    function _object(string memory text) private {
        vm.prank(STRANGER);
        governor.objectTo(_targets, new uint256[](1), _calls, keccak256(bytes(text)), uint48(_now() - 1));
    }

    /// @dev Stake of a node that the verifiers took, for as long as a vote takes.
    function _held() private returns (bytes32 ground) {
        vm.deal(NODE, NODE_SLASH_CAP);
        vm.prank(NODE);
        registry.stakeNode{value: NODE_SLASH_CAP}();
        registry.noteVotes();
        NodeStakes.NodeFault memory fault = NodeStakes.NodeFault(model, NODE, "proof", uint64(_now()));
        registry.slashNode(fault, _quorum(registry.hashNodeFault(fault)));
        return keccak256(abi.encode("proof", fault.proof, uint256(0)));
    }

    function _disputed() private returns (EpochRoots.Epoch memory) {
        return _dispute(BOND);
    }

    /// @dev The first two verifiers signed a root that is challenged.
    function _dispute(uint256 bond) private returns (EpochRoots.Epoch memory) {
        EpochRoots.EpochRoot memory message = _message(keccak256("false root"), 1_000, 3);
        registry.propose(message, _quorum(registry.hashEpochRoot(message)));
        vm.prank(CHALLENGER);
        registry.challenge{value: bond}(1);
        return registry.epochOf(1);
    }

    /// @dev Those whose bit is set give up their seats.
    function _resign(uint256 mask) private {
        for (uint256 i = 0; i < 4; ++i) {
            if ((mask >> i) & 1 == 0) continue;
            vm.prank(seats[i]);
            registry.resign();
        }
    }

    function _add(address target, bytes memory call) private {
        _targets.push(target);
        _calls.push(call);
    }

    function _pass() private {
        _passBy(TEXT, false);
    }

    /// @dev The batch passes and its time has come. The holder votes for it, or two do.
    function _passBy(string memory text, bool both) private {
        uint256[] memory values = new uint256[](_targets.length);
        vm.prank(HOLDER);
        uint256 id = governor.propose(_targets, values, _calls, text);
        _wait(VOTING_DELAY + 1);
        vm.prank(HOLDER);
        governor.castVote(id, 1);
        if (both) {
            vm.prank(NODE);
            governor.castVote(id, 1);
        }
        _wait(VOTING_PERIOD);
        governor.queue(_targets, values, _calls, keccak256(bytes(text)));
        _wait(TIMELOCK_DELAY);
    }

    function _execute() private {
        governor.execute(_targets, new uint256[](_targets.length), _calls, keccak256(bytes(TEXT)));
    }
}
