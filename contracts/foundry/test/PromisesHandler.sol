// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CapitalPool} from "commonweight/CapitalPool.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {EpochRoots} from "commonweight/EpochRoots.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Genesis} from "./Genesis.sol";
import {PayoutTree} from "./PayoutTree.sol";

/// @title What buyers and earners are owed, under holders who use every power at any moment and strangers who help them
/// @notice The holders act without a vote, as soon as they like: more than any majority can. What they are refused is
/// passed over; whether the promises hold is asked at the end of every history.
contract PromisesHandler is Genesis {
    struct Share {
        uint64 epoch;
        uint256 index;
        address account;
        uint256 amount;
        bool claimed;
    }

    uint256 private constant PEOPLE = 4;
    /// @dev Has votes enough for every decision, and nobody votes against it.
    address private constant VOTER = address(0x707E4);
    uint256 private constant VOTES = 1_000;
    address private constant THIEF = address(0x7111EF);

    Share[] private _shares;
    mapping(uint64 epoch => bytes32[]) private _trees;
    mapping(address buyer => uint256) private _paid;
    mapping(address buyer => uint256) private _got;
    bytes[] private _governorsPowers;
    bytes32[] private _operations;
    uint256 private _proposals;
    uint256 public decided;
    bytes[] private _powers;
    address[] private _targets;
    address private immutable _test = msg.sender;
    /// @dev What the timelock had of the round's money before it was released.
    uint256 public early;
    uint256 public shares;
    uint256 public bought;
    uint256 public left;

    constructor() {
        _deploy(new ModelRegistry(), "Promised", 3);
        _stakeAll();
        _power(address(token), abi.encodeCall(token.setBudget, (address(distributor), 0)));
        _power(address(token), abi.encodeCall(token.setBudget, (address(distributor), BUDGET / 2)));
        _power(address(token), abi.encodeCall(token.setBudget, (address(pool), 0)));
        _power(address(token), abi.encodeCall(token.setBudget, (address(pool), HARD_CAP)));
        _power(address(token), abi.encodeCall(token.setBudget, (address(this), SPARE - VOTES)));
        _power(address(token), abi.encodeCall(token.setBudget, (address(this), 0)));
        _power(address(token), abi.encodeCall(token.setMintingPaused, (true)));
        _power(address(token), abi.encodeCall(token.setMintingPaused, (true)));
        _power(address(token), abi.encodeCall(token.setMintingPaused, (false)));
        _power(address(token), abi.encodeCall(token.grantRole, (bytes32(0), THIEF)));
        _power(address(pool), abi.encodeCall(pool.grantRole, (bytes32(0), THIEF)));
        _power(address(pool), abi.encodeCall(pool.pay, (THIEF, 1)));
        _power(address(pool), abi.encodeCall(pool.pay, (THIEF, SOFT_CAP)));
        _power(address(coin), abi.encodeCall(coin.transfer, (THIEF, HARD_CAP)));
        _power(address(coin), abi.encodeCall(coin.transferFrom, (address(pool), THIEF, 1)));
        _power(address(token), abi.encodeCall(token.transfer, (THIEF, 1)));
        _power(address(registry), abi.encodeCall(registry.setMaxEpochTotal, (0)));
        _power(address(registry), abi.encodeCall(registry.setMaxEpochTotal, (MAX_EPOCH_TOTAL)));
        _power(address(registry), abi.encodeCall(registry.setThreshold, (1)));
        _power(address(registry), abi.encodeCall(registry.setThreshold, (2)));
        _power(address(distributor), abi.encodeCall(distributor.release, (1)));
        _mayMint(VOTES);
        token.mint("votes", VOTER, VOTES);
        _listGovernorsPowers();
    }

    /// @dev What only the governor could do, and only a vote has it do.
    function _listGovernorsPowers() private {
        bytes memory take = abi.encodeCall(pool.pay, (THIEF, SOFT_CAP));
        bytes memory later = abi.encodeCall(timelock.schedule, (address(pool), 0, take, 0, "later", 2 * SETTLEMENT));
        (address[] memory targets, bytes[] memory calls) = (new address[](1), new bytes[](1));
        (targets[0], calls[0]) = (address(pool), take);
        bytes memory batch = abi.encodeCall(
            timelock.scheduleBatch, (targets, new uint256[](1), calls, 0, "later", 2 * SETTLEMENT)
        );
        _operations.push(timelock.hashOperation(address(pool), 0, take, 0, "later"));
        _operations.push(timelock.hashOperationBatch(targets, new uint256[](1), calls, 0, "later"));
        _governorsPowers.push(abi.encodeCall(governor.relay, (address(timelock), 0, later)));
        _governorsPowers.push(abi.encodeCall(governor.relay, (address(timelock), 0, batch)));
        _governorsPowers.push(abi.encodeCall(governor.relay, (address(coin), 0, "")));
        _governorsPowers.push(abi.encodeCall(governor.updateTimelock, (TimelockController(payable(THIEF)))));
        _governorsPowers.push(abi.encodeCall(governor.setVotingDelay, (VOTING_DELAY / 2)));
        _governorsPowers.push(abi.encodeCall(governor.setVotingPeriod, (2 * VOTING_PERIOD)));
    }

    // ---- the governor

    /// @notice The governor carries out what passed: one of the timelock's powers, or one that it has itself.
    function decide(uint256 seed) external {
        (address target, bytes memory call) = (address(governor), _governorsPowers[seed % _governorsPowers.length]);
        uint256 place = (seed >> 8) % _powers.length;
        if ((seed >> 128) % 3 == 0) (target, call) = (_targets[place], _powers[place]);
        _wait(1);
        (address[] memory targets, bytes[] memory calls) = (new address[](1), new bytes[](1));
        (targets[0], calls[0]) = (target, call);
        string memory text = vm.toString(++_proposals);
        vm.prank(VOTER);
        uint256 id = governor.propose(targets, new uint256[](1), calls, text);
        vm.warp(governor.proposalSnapshot(id) + 1);
        vm.prank(VOTER);
        governor.castVote(id, 1);
        vm.warp(governor.proposalDeadline(id) + 1);
        bytes32 said = keccak256(bytes(text));
        (bool queued,) = address(governor).call(abi.encodeCall(governor.queue, (targets, new uint256[](1), calls, said)));
        if (!queued) return; // too few votes, or it was made in a pause
        _wait(timelock.getMinDelay());
        (bool done,) = address(governor).call(abi.encodeCall(governor.execute, (targets, new uint256[](1), calls, said)));
        if (done) ++decided;
        _noteEarly();
    }

    /// @notice Nothing waits in the timelock that no proposal shows, and it obeys its governor alone.
    function checkGovernor() external view {
        for (uint256 i = 0; i < _operations.length; ++i) {
            vm.assertFalse(timelock.isOperation(_operations[i]), "an operation without a proposal");
        }
        vm.assertEq(governor.timelock(), address(timelock), "the governor has its timelock");
        vm.assertEq(timelock.governor(), address(governor), "and the timelock its governor");
    }

    // ---- holders who want all of it

    function usePower(uint256 seed) external {
        uint256 place = seed % _powers.length;
        vm.prank(address(timelock));
        (bool done,) = _targets[place].call(_powers[place]);
        done;
        _noteEarly();
    }

    /// @notice One history in about sixty is one of a round that the holders ended.
    function cancelRound(uint256 seed) external {
        if (seed % 60 > 0 || pool.status() != CapitalPool.Status.Open) return;
        vm.prank(address(timelock));
        pool.cancel();
    }

    /// @notice Another minter pays receipts that are others': nothing and a unit.
    function mintBeneath(uint256 seed) external {
        if (token.budgetOf(address(this)) == 0 || token.mintingPaused()) return;
        token.reserve(1);
        bytes32 receipt = _shares.length == 0 || seed % 2 == 0
            ? pool.receiptOf(_person(seed))
            : _leaf(_shares[(seed >> 8) % _shares.length]);
        token.mint(receipt, THIEF, seed % 3 == 0 ? 0 : 1);
    }

    /// @notice Whoever likes takes what lies in the pool without a deposit.
    function recover(uint256 seed) external {
        if (seed % 2 == 0) coin.print(address(pool), seed % 7);
        (bool done,) = address(pool).call(abi.encodeCall(pool.recoverSurplus, (IERC20(address(coin)))));
        done;
        _noteEarly();
    }

    // ---- buyers

    function deposit(uint256 seed) external {
        (address buyer, uint256 amount) = (_person(seed), _between(seed >> 8, 1, HARD_CAP / 2));
        if (pool.status() != CapitalPool.Status.Open || pool.tokensFor(amount) == 0) return;
        coin.print(buyer, amount);
        vm.prank(buyer);
        coin.approve(address(pool), amount);
        vm.prank(buyer);
        (bool done, bytes memory answer) = address(pool).call(abi.encodeCall(pool.deposit, (amount)));
        if (done) _paid[buyer] += abi.decode(answer, (uint256)); // else its budget is gone, and nothing is taken
    }

    /// @notice While it is open, or until its money is released.
    function takeBack(uint256 seed) external {
        address buyer = _person(seed);
        uint256 before = coin.balanceOf(buyer);
        bytes memory call = pool.status() == CapitalPool.Status.Open
            ? abi.encodeCall(pool.withdraw, ())
            : abi.encodeCall(pool.exit, ());
        vm.prank(buyer);
        (bool done,) = address(pool).call(call);
        if (!done) return;
        vm.assertEq(coin.balanceOf(buyer) - before, _paid[buyer], "who leaves has all that it paid");
        _paid[buyer] = 0;
        ++left;
    }

    /// @notice Who takes its tokens has them, and stays.
    function takeTokens(uint256 seed) external {
        address buyer = _person(seed);
        if (pool.status() != CapitalPool.Status.Succeeded || token.mintingPaused() || _paid[buyer] == 0) return;
        uint256 before = token.balanceOf(buyer);
        vm.prank(buyer);
        pool.claim(buyer);
        vm.assertEq(token.balanceOf(buyer) - before, pool.tokensFor(_paid[buyer]), "a buyer has its tokens");
        _paid[buyer] = 0;
        ++bought;
    }

    // ---- earners

    /// @notice An honest root of two shares, where it can be had, to its end.
    function settle(uint256 seed) external {
        uint64 epoch = registry.finalizedEpochs() + 1;
        uint256 one = _between(seed >> 8, 1, MAX_EPOCH_TOTAL / 4);
        uint256 two = _between(seed >> 64, 1, MAX_EPOCH_TOTAL / 4);
        Share memory first = Share(epoch, 0, _person(seed), one, false);
        Share memory second = Share(epoch, 1, _person(seed >> 4), two, false);
        bytes32[] memory hashes = new bytes32[](2);
        (hashes[0], hashes[1]) = (_leaf(first), _leaf(second));
        bytes32[] memory tree = PayoutTree.build(hashes);
        EpochRoots.EpochRoot memory message = _message(tree[0], one + two, 2);
        bytes[] memory signatures = _quorum(registry.hashEpochRoot(message));
        (bool done,) = address(registry).call(abi.encodeCall(registry.propose, (message, signatures)));
        if (!done) return; // the holders set the limit or the budget below it: then nothing is owed
        _wait(WINDOW);
        registry.finalize(epoch);
        _trees[epoch] = tree;
        _shares.push(first);
        _shares.push(second);
    }

    function claim(uint256 seed) external {
        if (_shares.length == 0 || token.mintingPaused()) return;
        _claim(seed % _shares.length);
    }

    // ---- time

    function wait(uint256 seed) external {
        _wait(_between(seed, 1, seed % 5 == 0 ? 20 days : 2 days));
    }

    // ---- what is asked at the end

    /// @notice Everybody has what it is owed within the longest pause, whatever the holders did.
    function settleAll() external {
        if (msg.sender != _test) return; // no step of a history
        _wait(token.LONGEST_PAUSE());
        if (token.mintingPaused()) revert("a pause has an end");
        for (uint256 i = 0; i < _shares.length; ++i) if (!_shares[i].claimed) _claim(i);
        if (pool.status() == CapitalPool.Status.Open) vm.warp(pool.deadline());
        for (uint256 i = 0; i < PEOPLE; ++i) _end(_person(i));
        vm.assertEq(early, 0, "no money of the round moved before its buyers could leave");
        this.checkGovernor();
    }

    function _end(address buyer) private {
        uint256 waits = pool.depositOf(buyer);
        vm.assertEq(waits, _paid[buyer], "what it paid is there under its name");
        if (waits == 0) return;
        if (pool.status() == CapitalPool.Status.Succeeded) {
            uint256 before = token.balanceOf(buyer);
            vm.prank(buyer);
            pool.claim(buyer);
            vm.assertEq(token.balanceOf(buyer) - before, pool.tokensFor(waits), "a buyer has its tokens");
            ++bought;
        } else {
            uint256 before = coin.balanceOf(buyer);
            pool.refund(buyer);
            vm.assertEq(coin.balanceOf(buyer) - before, waits, "or its money");
        }
    }

    // ---- parts

    function _noteEarly() private {
        if (coin.balanceOf(address(pool)) < pool.held()) early += 1;
        if (_now() < pool.releaseAt() && pool.paidOut() > 0) early += 1;
        if (pool.status() == CapitalPool.Status.Failed && pool.paidOut() > pool.claimed()) early += 1;
    }

    function _claim(uint256 place) private {
        Share storage share = _shares[place];
        if (share.claimed) return;
        bytes32[] memory proof = PayoutTree.proofOf(_trees[share.epoch], _leaf(share));
        uint256 before = token.balanceOf(share.account);
        distributor.claim(share.epoch, share.index, share.account, 0, share.amount, proof);
        vm.assertEq(token.balanceOf(share.account) - before, share.amount, "a share is paid whole");
        share.claimed = true;
        ++shares;
    }

    function _leaf(Share memory share) private view returns (bytes32) {
        return distributor.leafOf(share.epoch, share.index, share.account, 0, share.amount);
    }

    function _power(address target, bytes memory call) private {
        _targets.push(target);
        _powers.push(call);
    }

    function _person(uint256 seed) private pure returns (address) {
        return address(uint160(0xB0B0000 + seed % PEOPLE));
    }
}
