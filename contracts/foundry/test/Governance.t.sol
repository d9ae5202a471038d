// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {Votes} from "@openzeppelin/contracts/governance/utils/Votes.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {FixedRoles} from "commonweight/FixedRoles.sol";
import {ModelGovernor} from "commonweight/ModelGovernor.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {ModelTimelock} from "commonweight/ModelTimelock.sol";
import {Cheats, Vm} from "./Cheats.sol";
import {Genesis} from "./Genesis.sol";
import {GovernanceHandler} from "./GovernanceHandler.sol";

/// @title Who can decide what, after genesis and after every step of every history
contract GovernanceInvariants is Cheats {
    struct Grant {
        address where;
        bytes32 role;
        address holder;
    }

    GovernanceHandler private _handler;
    /// @dev All that were ever given out, and those that belong there.
    Grant[] private _grants;
    Grant[] private _rightful;
    mapping(bytes32 grant => bool) private _isRightful;

    function setUp() external {
        vm.recordLogs();
        _handler = new GovernanceHandler();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            bytes32[] memory topics = logs[i].topics;
            if (topics[0] != IAccessControl.RoleGranted.selector) continue;
            _grants.push(Grant(logs[i].emitter, topics[1], address(uint160(uint256(topics[2])))));
        }
        _listRightful(_handler);
        _listRightful(_handler.neighbour());
    }

    /// @dev The design's table, once more: the timelock's roles, the governor's on the timelock, and the open executor.
    function _listRightful(Genesis g) private {
        ModelTimelock timelock = g.timelock();
        (address token, address registry) = (address(g.token()), address(g.registry()));
        _addRightful(token, bytes32(0), address(timelock));
        _addRightful(token, keccak256("GUARDIAN_ROLE"), address(timelock));
        _addRightful(registry, bytes32(0), address(timelock));
        _addRightful(registry, keccak256("ARBITER_ROLE"), address(timelock));
        _addRightful(address(g.pool()), bytes32(0), address(timelock));
        _addRightful(address(timelock), bytes32(0), address(timelock));
        _addRightful(address(timelock), keccak256("PROPOSER_ROLE"), address(g.governor()));
        _addRightful(address(timelock), keccak256("CANCELLER_ROLE"), address(g.governor()));
        _addRightful(address(timelock), keccak256("EXECUTOR_ROLE"), address(0));
    }

    function _addRightful(address where, bytes32 role, address holder) private {
        _rightful.push(Grant(where, role, holder));
        _isRightful[_key(where, role, holder)] = true;
    }

    function _key(address where, bytes32 role, address holder) private pure returns (bytes32) {
        return keccak256(abi.encode(where, role, holder));
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
        exactly_the_rightful_hold_a_power();
    }

    function only_the_timelock_changes_a_decision() private view {
        ModelRegistry models = _handler.models();
        vm.assertEq(models.sequenceOf(_handler.model()), _handler.decisions(), "one decision a vote that passed");
        vm.assertEq(models.valueOf(_handler.model(), "lr"), _handler.value(), "the value is the last one voted");
        vm.assertEq(models.sequenceOf(_handler.neighbour().model()), 0, "another model on the same registry is untouched");
    }

    /// @dev Every role that was ever granted, on any contract, every role that somebody could have come by, every budget.
    function exactly_the_rightful_hold_a_power() private view {
        for (uint256 i = 0; i < _grants.length; ++i) {
            Grant memory g = _grants[i];
            bool held = IAccessControl(g.where).hasRole(g.role, g.holder);
            vm.assertTrue(held == _isRightful[_key(g.where, g.role, g.holder)], "held by whom it belongs to alone");
        }
        address[] memory people = _handler.people();
        for (uint256 i = 0; i < _rightful.length; ++i) {
            Grant memory g = _rightful[i];
            vm.assertTrue(IAccessControl(g.where).hasRole(g.role, g.holder), "whom it belongs to holds it");
            for (uint256 j = 0; j < people.length; ++j) {
                vm.assertFalse(IAccessControl(g.where).hasRole(g.role, people[j]), "and no person does");
            }
        }
        for (uint256 i = 0; i < people.length; ++i) {
            vm.assertEq(_handler.token().budgetOf(people[i]), 0, "nobody but contracts has a budget");
            vm.assertEq(_handler.token().reservedOf(people[i]), 0, "nor a reserve");
        }
    }

    function test_after_genesis_the_roles_are_where_the_design_puts_them() external view {
        // nine stay of each model's, and the deployer's two on token and timelock were given up
        vm.assertEq(_rightful.length, 18, "those of two models");
        vm.assertEq(_grants.length, 22, "all grants were seen");
        exactly_the_rightful_hold_a_power();
        address timelock = address(_handler.timelock());
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

/// @title A holder whose signature check takes all the gas there is
contract Burner {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        while (true) {}
        return 0;
    }
}

/// @title Votes while few tokens exist
contract FirstVotesTest is Genesis {
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);
    uint256 private constant CAROLS_KEY = 0xCA401;
    bytes4 private constant LATELY = ModelGovernor.ModelGovernorMintingPausedLately.selector;

    function setUp() external {
        _deploy(new ModelRegistry(), "Young", 2);
        _mayMint(SPARE);
    }

    /// @notice All votes that exist are not enough until they are as many as the floor.
    function testFuzz_the_first_holder_is_no_quorum_below_the_floor(uint256 held) external {
        held = _between(held, PROPOSAL_THRESHOLD, 2 * QUORUM_FLOOR);
        token.mint("first", ALICE, held);
        IGovernor.ProposalState end = _voteOfAlice();
        bool passes = held >= QUORUM_FLOOR;
        vm.assertTrue((end == IGovernor.ProposalState.Succeeded) == passes, "the floor decides");
    }

    function testFuzz_above_the_floor_the_share_of_the_supply_decides(uint256 held) external {
        token.mint("others", BOB, SPARE / 2);
        held = _between(held, PROPOSAL_THRESHOLD, SPARE / 4);
        token.mint("first", ALICE, held);
        _wait(1);
        uint256 share = (SPARE / 2 + held) * 4 / 100;
        uint256 needed = share < QUORUM_FLOOR ? QUORUM_FLOOR : share;
        vm.assertEq(governor.quorum(_now() - 1), needed, "the larger of both");
        vm.assertTrue((_voteOfAlice() == IGovernor.ProposalState.Succeeded) == (held >= needed), "is what it takes");
    }

    /// @notice Who claims first and proposes at once decides nothing: within the delay anybody claims for the others.
    function testFuzz_within_the_delay_anybody_gives_the_others_their_votes(uint256 first, uint256 when) external {
        first = _between(first, QUORUM_FLOOR, HARD_CAP / 2 - 1);
        _deposit(ALICE, first);
        _deposit(BOB, HARD_CAP - first);
        vm.warp(pool.releaseAt());
        pool.claim(ALICE);
        _wait(1);
        uint256 id = _proposeOfAlice();
        _wait(_between(when, 0, VOTING_DELAY - 1));
        pool.claim(BOB);
        vm.warp(governor.proposalSnapshot(id) + 1);
        vm.prank(ALICE);
        governor.castVote(id, 1);
        vm.prank(BOB);
        governor.castVote(id, 0);
        _wait(VOTING_PERIOD);
        vm.assertTrue(governor.state(id) == IGovernor.ProposalState.Defeated, "the others have their say");
    }

    /// @notice A ballot that burns its gas is refused alone, wherever it stands in the batch.
    function testFuzz_a_ballot_that_burns_its_gas_does_not_stop_the_rest(uint256 place) external {
        address carol = vm.addr(CAROLS_KEY);
        token.mint("alice", ALICE, PROPOSAL_THRESHOLD);
        token.mint("carol", carol, 77);
        _wait(1);
        uint256 id = _proposeOfAlice();
        _wait(VOTING_DELAY + 1);
        ModelGovernor.Ballot[] memory ballots = new ModelGovernor.Ballot[](20);
        address burner = address(new Burner());
        for (uint256 i = 0; i < ballots.length; ++i) ballots[i] = ModelGovernor.Ballot(id, 1, burner, "");
        bytes32 content = keccak256(abi.encode(governor.BALLOT_TYPEHASH(), id, 1, carol, uint256(uint192(id)) << 64));
        ballots[place % 20] =
            ModelGovernor.Ballot(id, 1, carol, _sign(CAROLS_KEY, _typedDigest(address(governor), "Young", content)));
        governor.relayVotes{gas: 10_000_000}(ballots);
        (, uint256 votes,) = governor.proposalVotes(id);
        vm.assertEq(votes, 77, "Carol's ballot counts");
    }

    /// @notice Nobody has a ballot refused by giving it too little gas.
    function test_a_ballot_without_its_gas_takes_all_back() external {
        ModelGovernor.Ballot[] memory ballots = new ModelGovernor.Ballot[](1);
        bytes memory call = abi.encodeCall(governor.relayVotes, (ballots));
        (bool done, bytes memory answer) = address(governor).call{gas: governor.BALLOT_GAS()}(call);
        vm.assertTrue(!done && bytes4(answer) == ModelGovernor.ModelGovernorBallotGasMissing.selector, "is not tried");
    }

    /// @notice What passed and was left lying cannot be executed by a minority a year later, not by the open door either.
    function testFuzz_what_passed_lives_for_a_stated_time(uint256 wait, bool queued) external {
        token.mint("first", ALICE, QUORUM_FLOOR);
        vm.assertTrue(_voteOfAlice() == IGovernor.ProposalState.Succeeded, "it passed");
        uint256 id = governor.hashProposal(new address[](1), new uint256[](1), new bytes[](1), keccak256("all to me"));
        uint256 grace = timelock.GRACE();
        if (queued) governor.queue(new address[](1), new uint256[](1), new bytes[](1), keccak256("all to me"));
        uint256 until = (queued ? governor.proposalEta(id) : governor.proposalDeadline(id)) + grace;
        vm.warp(until);
        vm.assertTrue(
            governor.state(id) == (queued ? IGovernor.ProposalState.Queued : IGovernor.ProposalState.Succeeded), "alive"
        );
        vm.warp(until + _between(wait, 1, 3650 days));
        vm.assertTrue(governor.state(id) == IGovernor.ProposalState.Expired, "over");
        bytes4 over = IGovernor.GovernorUnexpectedProposalState.selector;
        _refuse(ALICE, address(governor), 0, _call(governor.queue.selector), over);
        _refuse(ALICE, address(governor), 0, _call(governor.execute.selector), over);
        bytes32 salt = bytes20(address(governor)) ^ keccak256("all to me");
        bytes memory door = abi.encodeCall(
            timelock.executeBatch, (new address[](1), new uint256[](1), new bytes[](1), bytes32(0), salt)
        );
        _refuse(ALICE, address(timelock), 0, door, ModelTimelock.ModelTimelockNotGovernor.selector);
        bytes4 expired = TimelockController.TimelockUnexpectedOperationState.selector;
        _refuse(address(governor), address(timelock), 0, door, expired);
    }

    /// @notice Holders stop what passed before it is executed, if they are more than those who voted for it.
    function testFuzz_objections_that_outweigh_the_votes_cancel(uint256 supporters, uint256 objectors, bool queued)
        external
    {
        supporters = _between(supporters, QUORUM_FLOOR, SPARE / 3);
        objectors = _between(objectors, 1, SPARE / 3);
        token.mint("first", ALICE, supporters);
        vm.assertTrue(_voteOfAlice() == IGovernor.ProposalState.Succeeded, "it passed");
        token.mint("second", BOB, objectors); // a buyer since the vote
        _wait(1);
        uint256 id = governor.hashProposal(new address[](1), new uint256[](1), new bytes[](1), keccak256("all to me"));
        if (queued) governor.queue(new address[](1), new uint256[](1), new bytes[](1), keccak256("all to me"));
        uint256 second = _now() - 1;
        (bool empty,) = address(governor).call(_objection(second)); // who has nothing weighs down no other
        vm.prank(BOB);
        (bool done,) = address(governor).call(_objection(second));
        vm.assertTrue(done && empty, "Bob objects");
        bool stopped = governor.state(id) == IGovernor.ProposalState.Canceled;
        vm.assertTrue(stopped == (objectors > supporters), "the heavier side has its way");
        bytes4 again = stopped ? IGovernor.GovernorUnexpectedProposalState.selector : ModelGovernor.ModelGovernorObjectionCast.selector;
        _refuse(BOB, address(governor), 0, _objection(second), again);
        if (!stopped || !queued) return;
        _wait(TIMELOCK_DELAY);
        bytes4 over = IGovernor.GovernorUnexpectedProposalState.selector;
        _refuse(ALICE, address(governor), 0, _call(governor.execute.selector), over);
        _wait(3650 days);
        vm.assertTrue(governor.state(id) == IGovernor.ProposalState.Canceled, "it stays canceled");
    }

    /// @notice Nothing is objected to that has not passed, and borrowed tokens weigh nothing in their block.
    function testFuzz_objections_weigh_what_was_held_before(uint256 borrowed) external {
        bytes4 early = IGovernor.GovernorUnexpectedProposalState.selector;
        token.mint("first", ALICE, QUORUM_FLOOR);
        _wait(1);
        uint256 id = _proposeOfAlice();
        _refuse(BOB, address(governor), 0, _objection(_now() - 1), early);
        _wait(VOTING_DELAY + 1);
        vm.prank(ALICE);
        governor.castVote(id, 1);
        _refuse(BOB, address(governor), 0, _objection(_now() - 1), early);
        _wait(VOTING_PERIOD);
        token.mint("second", BOB, _between(borrowed, QUORUM_FLOOR + 1, SPARE / 2));
        _wait(1);
        uint256 second = governor.proposalDeadline(id);
        _refuse(BOB, address(governor), 0, _objection(second - 1), ModelGovernor.ModelGovernorObjectionTooEarly.selector);
        _refuse(BOB, address(governor), 0, _objection(_now()), Votes.ERC5805FutureLookup.selector);
        vm.prank(BOB);
        (bool done,) = address(governor).call(_objection(second));
        vm.assertTrue(done, "it may be said");
        vm.assertEq(governor.objectionsTo(id, uint48(second)), 0, "and weighs nothing");
        vm.assertTrue(governor.state(id) == IGovernor.ProposalState.Succeeded, "it stands");
    }

    /// @notice The governor acts by proposals alone: what a vote would schedule beside them, or where it would move the
    /// governor, is refused when it is executed, whatever it says.
    function testFuzz_no_vote_acts_beside_its_proposal(address target, uint256 value, bytes calldata data) external {
        bytes memory inner =
            abi.encodeCall(timelock.schedule, (target, 0, data, bytes32(0), bytes32(value), TIMELOCK_DELAY));
        bytes[4] memory calls = [
            abi.encodeCall(governor.relay, (address(timelock), 0, inner)),
            abi.encodeCall(governor.relay, (target, value, data)),
            abi.encodeCall(governor.updateTimelock, (TimelockController(payable(target)))),
            abi.encodeCall(governor.updateTimelock, (timelock))
        ];
        token.mint("first", ALICE, QUORUM_FLOOR);
        for (uint256 i = 0; i < calls.length; ++i) {
            bytes memory execution = _passed(address(governor), calls[i], vm.toString(i));
            bytes4 why = i < 2 ? ModelGovernor.ModelGovernorRelayClosed.selector : ModelGovernor.ModelGovernorTimelockFixed.selector;
            _refuse(ALICE, address(governor), 0, execution, why);
        }
        vm.assertEq(governor.timelock(), address(timelock), "the timelock is what it was");
        vm.prank(address(governor)); // nor would the governor's own role do it
        (bool done,) = address(timelock).call(inner);
        vm.assertFalse(done, "single operations are closed");
    }

    /// @notice Before there is a token nobody proposes, where no votes are asked for either: nobody joined who could see it.
    function testFuzz_nothing_is_proposed_before_tokens_exist(uint256 wait) external {
        ModelGovernor open = new ModelGovernor(
            "Young", IVotes(address(token)), timelock, VOTING_DELAY, VOTING_PERIOD, 0, 4, QUORUM_FLOOR, 0
        );
        bytes memory call =
            abi.encodeCall(open.propose, (new address[](1), new uint256[](1), new bytes[](1), "before anybody joined"));
        _wait(_between(wait, 1, 365 days));
        _refuse(ALICE, address(open), 0, call, ModelGovernor.ModelGovernorNobodyHolds.selector);
        token.mint("first", BOB, 1);
        _refuse(ALICE, address(open), 0, call, ModelGovernor.ModelGovernorNobodyHolds.selector);
        _wait(1);
        (bool done,) = address(open).call(call);
        vm.assertTrue(done, "a second later there is one");
    }

    /// @notice Whoever is owed tokens in a pause of minting can neither vote nor object. So a vote whose proposal, delay or
    /// snapshot lies in a pause decides nothing, but for one that ends it; and nothing is executed in a pause or until who was
    /// owed could object.
    function testFuzz_a_pause_lets_nobody_decide_alone(uint256 before, uint256 resumed, bool ends) external {
        token.mint("first", ALICE, QUORUM_FLOOR);
        _wait(1);
        before = _between(before, 0, 2 * VOTING_DELAY); // from the proposal to the pause, or the other way round
        (address[] memory targets, bytes[] memory calls) = (new address[](1), new bytes[](1));
        targets[0] = address(token);
        calls[0] = ends
            ? abi.encodeCall(token.setMintingPaused, (false))
            : abi.encodeCall(token.setBudget, (ALICE, 1));
        if (before > VOTING_DELAY) _pause();
        vm.prank(ALICE);
        uint256 id = governor.propose(targets, new uint256[](1), calls, "in a pause");
        uint256 proposed = _now();
        if (before <= VOTING_DELAY) {
            _wait(before);
            _pause();
        }
        uint256 end = _now() + _between(resumed, 1, 2 hours);
        if (end <= proposed + VOTING_DELAY) _resumeAt(end); // nobody claims in what is left of the delay
        vm.warp(proposed + VOTING_DELAY + 1);
        if (end > _now()) _resumeAt(end);
        vm.prank(ALICE);
        governor.castVote(id, 1);
        vm.warp(governor.proposalDeadline(id) + 1);
        bool alive = governor.state(id) == IGovernor.ProposalState.Succeeded;
        vm.assertTrue(alive == ends, "who was owed had no say");
        bytes memory queue = abi.encodeCall(governor.queue, (targets, new uint256[](1), calls, keccak256("in a pause")));
        if (!ends) return _refuse(ALICE, address(governor), 0, queue, IGovernor.GovernorUnexpectedProposalState.selector);
        (bool queued,) = address(governor).call(queue);
        vm.assertTrue(queued, "the pause itself can be ended");
        _wait(TIMELOCK_DELAY);
        governor.execute(targets, new uint256[](1), calls, keccak256("in a pause"));
    }

    /// @notice What passed before a pause is not executed in it, nor for the timelock's delay after it.
    function testFuzz_who_is_owed_in_a_pause_can_object_after_it(uint256 wait, bool resumed) external {
        token.mint("first", ALICE, QUORUM_FLOOR);
        bytes memory execution = _passed(address(0), "", "all to me");
        _pause();
        if (resumed) _resumeAt(_now() + _between(wait, 1, 1 days));
        else if (wait % 2 == 0) return _refuse(ALICE, address(governor), 0, execution, LATELY);
        if (!resumed) return; // it has expired when such a pause ends
        uint256 end = token.pausedUntil();
        vm.warp(end + _between(wait, 0, TIMELOCK_DELAY - 1));
        _refuse(ALICE, address(governor), 0, execution, LATELY);
        vm.warp(end + TIMELOCK_DELAY);
        if (wait % 2 == 0) {
            (bool carried,) = address(governor).call(execution);
            return vm.assertTrue(carried, "nobody objected");
        }
        token.mint("owed", BOB, QUORUM_FLOOR + 1);
        _wait(1);
        uint256 id = governor.hashProposal(new address[](1), new uint256[](1), new bytes[](1), keccak256("all to me"));
        vm.prank(BOB);
        (bool done,) = address(governor).call(_objection(_now() - 1));
        vm.assertTrue(done && governor.state(id) == IGovernor.ProposalState.Canceled, "and has its say");
    }

    function _pause() private {
        vm.prank(address(timelock));
        token.setMintingPaused(true);
    }

    function _resumeAt(uint256 second) private {
        if (second > _now()) vm.warp(second);
        vm.prank(address(timelock));
        token.setMintingPaused(false);
    }

    /// @dev Alice passes one call, until only its execution is left, which is returned.
    function _passed(address target, bytes memory call, string memory text) private returns (bytes memory) {
        (address[] memory targets, bytes[] memory calls) = (new address[](1), new bytes[](1));
        (targets[0], calls[0]) = (target, call);
        _wait(1);
        vm.prank(ALICE);
        uint256 id = governor.propose(targets, new uint256[](1), calls, text);
        _letAliceDecide(id);
        governor.queue(targets, new uint256[](1), calls, keccak256(bytes(text)));
        _wait(TIMELOCK_DELAY);
        return abi.encodeCall(governor.execute, (targets, new uint256[](1), calls, keccak256(bytes(text))));
    }

    /// @notice What a vote gave to a key would act for ever, without votes: neither is it given, nor the governor's taken.
    function testFuzz_no_vote_gives_a_role_to_a_key(address key, uint256 which) external {
        if (key == address(timelock) || key == address(governor)) return;
        bytes32[4] memory roles =
            [bytes32(0), timelock.PROPOSER_ROLE(), timelock.CANCELLER_ROLE(), token.GUARDIAN_ROLE()];
        bytes memory call = abi.encodeCall(token.grantRole, (roles[which % 4], key));
        _refuse(address(timelock), address(token), 0, call, FixedRoles.FixedRolesRoleFixed.selector);
        _refuse(address(timelock), address(registry), 0, call, FixedRoles.FixedRolesRoleFixed.selector);
        _refuse(address(timelock), address(pool), 0, call, FixedRoles.FixedRolesRoleFixed.selector);
        _refuse(address(timelock), address(timelock), 0, call, ModelTimelock.ModelTimelockRoleFixed.selector);
        bytes memory last = abi.encodeCall(token.revokeRole, (roles[1], address(governor)));
        _refuse(address(timelock), address(timelock), 0, last, ModelTimelock.ModelTimelockRoleFixed.selector);
    }

    /// @notice No vote passes a delay that makes the next decision immediate, or lets it outlive a round's money.
    function testFuzz_the_delay_stays_within_what_genesis_set(uint256 value) external {
        value = _between(value, 0, 3 * TIMELOCK_DELAY);
        bytes memory call = abi.encodeCall(timelock.updateDelay, (value));
        bool inside = 2 * value >= TIMELOCK_DELAY && value <= 2 * TIMELOCK_DELAY;
        if (!inside) {
            return _refuse(address(timelock), address(timelock), 0, call, ModelTimelock.ModelTimelockDelayOutOfBounds.selector);
        }
        vm.prank(address(timelock));
        timelock.updateDelay(value);
        vm.assertEq(timelock.getMinDelay(), value, "within the bounds holders decide");
    }

    /// @notice No vote passes a voting period that lets one second decide, nor one that never ends.
    function testFuzz_the_vote_stays_within_what_genesis_set(uint32 value) external {
        uint256 set = governor.votingPeriod();
        value = uint32(_between(value, 1, 3 * set));
        address[] memory targets = new address[](1);
        bytes[] memory calls = new bytes[](1);
        (targets[0], calls[0]) = (address(governor), abi.encodeCall(governor.setVotingPeriod, (value)));
        token.mint("first", ALICE, QUORUM_FLOOR);
        _wait(1);
        vm.prank(ALICE);
        uint256 id = governor.propose(targets, new uint256[](1), calls, "another period");
        _letAliceDecide(id);
        governor.queue(targets, new uint256[](1), calls, keccak256("another period"));
        _wait(TIMELOCK_DELAY);
        bytes memory execution =
            abi.encodeCall(governor.execute, (targets, new uint256[](1), calls, keccak256("another period")));
        (bool done,) = address(governor).call(execution);
        bool inside = 2 * uint256(value) >= set && value <= 2 * set;
        vm.assertTrue(done == inside, "what is within the bounds is carried out, and nothing else");
        vm.assertEq(governor.votingPeriod(), inside ? value : set, "and stands");
    }

    /// @dev An objection to Alice's proposal, weighed at a second.
    function _objection(uint256 second) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            ModelGovernor.objectTo.selector, new address[](1), new uint256[](1), new bytes[](1),
            keccak256("all to me"), uint48(second)
        );
    }

    /// @dev A call of the governor about Alice's proposal: queue and execute take the same.
    function _call(bytes4 selector) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            selector, new address[](1), new uint256[](1), new bytes[](1), keccak256("all to me")
        );
    }

    function _voteOfAlice() private returns (IGovernor.ProposalState) {
        _wait(1);
        uint256 id = _proposeOfAlice();
        _letAliceDecide(id);
        return governor.state(id);
    }

    function _letAliceDecide(uint256 id) private {
        _wait(VOTING_DELAY + 1);
        vm.prank(ALICE);
        governor.castVote(id, 1);
        _wait(VOTING_PERIOD);
    }

    function _proposeOfAlice() private returns (uint256) {
        bytes[] memory calls = new bytes[](1);
        vm.prank(ALICE);
        return governor.propose(new address[](1), new uint256[](1), calls, "all to me");
    }
}
