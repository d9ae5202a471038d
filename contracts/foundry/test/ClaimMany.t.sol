// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EpochDistributor} from "commonweight/EpochDistributor.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {ModelToken} from "commonweight/ModelToken.sol";
import {EpochRoots} from "commonweight/EpochRoots.sol";
import {Genesis} from "./Genesis.sol";
import {PayoutTree} from "./PayoutTree.sol";
import {Vm} from "./Cheats.sol";

/// @title Many leaves in one call: each is paid once, and none keeps another from being paid
contract ClaimManyTest is Genesis {
    uint256 private constant HOLDER_KEY = 0xA11CE;
    uint64 private constant EPOCHS = 3;
    /// @dev Of an epoch's leaves, the first that can be paid; the others are what verifiers who lie could sign.
    uint256 private constant SOUND = 6;

    EpochDistributor.Leaf[] private _leaves;
    mapping(uint64 epoch => bytes32[]) private _trees;

    function setUp() external {
        _deploy(new ModelRegistry(), "ClaimMany", 3);
        _stakeAll();
        for (uint64 epoch = 1; epoch <= EPOCHS; ++epoch) _drawLeaves(epoch);
    }

    // ---- what is paid

    function testFuzz_any_epochs_and_accounts_are_paid_in_one_call(uint256 seed, address relayer) external {
        _finalizeAll(_sound());
        uint256 before = token.totalSupply();
        uint256[] memory places = _shuffled(seed, 0, EPOCHS * SOUND);
        vm.prank(relayer);
        vm.assertEq(distributor.claimMany(_soundLines(places)), places.length, "all of them");
        for (uint256 i = 0; i < places.length; ++i) {
            EpochDistributor.Leaf storage leaf = _soundLeaf(places[i]);
            vm.assertTrue(distributor.isClaimed(leaf.epoch, leaf.index), "the leaf is paid");
            vm.assertEq(token.balanceOf(leaf.account), EPOCHS * leaf.amount, "the account has what all epochs owe it");
        }
        vm.assertEq(token.totalSupply() - before, EPOCHS * _sound(), "no more than that");
        for (uint64 epoch = 1; epoch <= EPOCHS; ++epoch) vm.assertEq(distributor.paid(epoch), _sound(), "and counted");
    }

    /// @notice Somebody is quicker with some of them: those are named, the others paid.
    function testFuzz_what_was_paid_meanwhile_is_passed_over_and_named(uint256 seed) external {
        _finalizeAll(_sound());
        uint256[] memory places = _shuffled(seed, 0, EPOCHS * SOUND);
        uint256 quicker = _between(seed, 1, places.length);
        for (uint256 i = 0; i < quicker; ++i) _claim(_soundLeaf(places[i]));
        EpochDistributor.Line[] memory lines = _soundLines(places);
        vm.recordLogs();
        vm.assertEq(distributor.claimMany(lines), places.length - quicker, "the others");
        _checkPassedOver(lines, quicker, EpochDistributor.EpochDistributorLeafPaid.selector);
        vm.assertEq(token.totalSupply(), EPOCHS * _sound(), "each is paid once");
    }

    function testFuzz_the_same_line_twice_pays_once(uint256 place, uint256 times) external {
        _finalizeAll(_sound());
        place = _between(place, 0, EPOCHS * SOUND - 1);
        uint256[] memory places = new uint256[](_between(times, 2, 9));
        for (uint256 i = 0; i < places.length; ++i) places[i] = place;
        vm.assertEq(distributor.claimMany(_soundLines(places)), 1, "one of them");
        vm.assertEq(token.totalSupply(), _soundLeaf(place).amount, "paid once");
        vm.assertEq(distributor.claimMany(_soundLines(places)), 0, "and never again");
        bytes memory again = abi.encodeCall(this.claim, (place));
        _refuse(address(this), address(this), 0, again, EpochDistributor.EpochDistributorLeafPaid.selector);
    }

    // ---- what cannot be paid

    /// @notice Leaves that only verifiers who lie would sign, and a payee's code that burns all gas or reverts.
    function testFuzz_no_line_keeps_another_from_being_paid(uint256 seed) external {
        _finalizeAll(_sound());
        uint256[] memory places = _shuffled(seed, 0, _leaves.length);
        EpochDistributor.Line[] memory lines = new EpochDistributor.Line[](places.length);
        for (uint256 i = 0; i < places.length; ++i) lines[i] = _line(_leaves[places[i]]);
        vm.recordLogs();
        vm.assertEq(distributor.claimMany(lines), EPOCHS * SOUND, "all that are sound");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 passed = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != EpochDistributor.PassedOver.selector) continue;
            ++passed;
            (uint256 index, bytes memory reason) = abi.decode(logs[i].data, (uint256, bytes));
            vm.assertTrue(bytes4(reason) == _reasonOf(index), "the reason is the error of a claim of this line alone");
            vm.assertFalse(distributor.isClaimed(uint64(uint256(logs[i].topics[1])), index), "it stays unpaid");
        }
        vm.assertEq(passed, _leaves.length - EPOCHS * SOUND, "all others are named");
        vm.assertEq(token.totalSupply(), EPOCHS * _sound(), "nothing else exists");
    }

    function testFuzz_each_line_alone_is_refused_for_the_same_reason(uint256 place) external {
        _finalizeAll(_sound());
        place = _between(place, SOUND, _leaves.length / EPOCHS - 1);
        EpochDistributor.Leaf storage leaf = _leaves[place];
        bytes memory call = abi.encodeCall(this.claimLeaf, (place));
        _refuse(address(this), address(this), 0, call, _reasonOf(leaf.index));
    }

    function testFuzz_an_epoch_that_is_not_final_and_a_wrong_proof_are_passed_over(uint256 place, uint256 wait) external {
        _finalize(1, _sound());
        _propose(2, _sound());
        _wait(_between(wait, 0, 2 * WINDOW));
        EpochDistributor.Line[] memory lines = new EpochDistributor.Line[](4);
        place = _between(place, 0, SOUND - 1);
        lines[0] = _line(_leafIn(2, place));
        lines[1] = _line(_leafIn(3, place));
        lines[2] = _line(_leafIn(1, place));
        lines[2].amount += 1;
        lines[3] = _line(_leafIn(1, place));
        vm.assertEq(distributor.claimMany(lines), 1, "the one that can be paid");
        vm.assertTrue(distributor.isClaimed(1, _leafIn(1, place).index), "is paid");
    }

    /// @notice k verifiers sign a total below what the leaves add up to: the total holds, and stops no other epoch.
    function testFuzz_an_epoch_pays_no_more_than_its_total(uint256 total, uint256 seed) external {
        total = _between(total, 0, _sound() - 1);
        _finalize(1, total);
        _finalize(2, _sound());
        distributor.claimMany(_soundLines(_shuffled(seed, 0, 2 * SOUND)));
        vm.assertLe(distributor.paid(1), total, "within its total");
        vm.assertEq(distributor.paid(2), _sound(), "the other one pays all");
        vm.assertEq(token.reservedOf(address(distributor)), total - distributor.paid(1), "what is left is reserved");
    }

    /// @notice Tokens in a contract that cannot move them are lost: it may claim many, nobody for it.
    function testFuzz_a_contract_claims_many_for_itself_alone(uint256 place) external {
        _finalizeAll(_sound());
        place = _between(place, 0, SOUND - 1);
        address wallet = _leafIn(1, place).account;
        vm.etch(wallet, new bytes(distributor.DELEGATION_SIZE() + 1));
        EpochDistributor.Line[] memory lines = new EpochDistributor.Line[](EPOCHS);
        for (uint64 epoch = 1; epoch <= EPOCHS; ++epoch) lines[epoch - 1] = _line(_leafIn(epoch, place));
        vm.assertEq(distributor.claimMany(lines), 0, "nobody for it");
        vm.prank(wallet);
        vm.assertEq(distributor.claimMany(lines), EPOCHS, "itself");
    }

    // ---- the whole call

    /// @notice An estimate that finds the least gas with which the call ends must not find one that passes lines over.
    function testFuzz_too_little_gas_undoes_all_and_passes_nothing_over(uint256 gas_) external {
        _finalizeAll(_sound());
        uint256[] memory places = _shuffled(1, 0, EPOCHS * SOUND);
        bytes memory call = abi.encodeCall(distributor.claimMany, (_soundLines(places)));
        (bool done, bytes memory answer) = address(distributor).call{gas: _between(gas_, 30_000, 3_000_000)}(call);
        if (done) vm.assertEq(abi.decode(answer, (uint256)), places.length, "all of them");
        else vm.assertEq(token.totalSupply(), 0, "none of them");
    }

    function test_a_pause_stops_all_and_no_lines_are_no_call() external {
        _finalizeAll(_sound());
        bytes memory none = abi.encodeCall(distributor.claimMany, (new EpochDistributor.Line[](0)));
        _refuse(address(this), address(distributor), 0, none, EpochDistributor.EpochDistributorNoLines.selector);
        vm.prank(address(timelock));
        token.setMintingPaused(true);
        bytes memory all = abi.encodeCall(distributor.claimMany, (_soundLines(_shuffled(1, 0, SOUND))));
        _refuse(address(this), address(distributor), 0, all, ModelToken.ModelTokenMintingPaused.selector);
        vm.warp(token.pausedUntil());
        vm.assertEq(distributor.claimMany(_soundLines(_shuffled(1, 0, SOUND))), SOUND, "it goes on");
    }

    // ---- parts

    function claim(uint256 place) external {
        _claim(_soundLeaf(place));
    }

    function claimLeaf(uint256 place) external {
        _claim(_leaves[place]);
    }

    function _claim(EpochDistributor.Leaf storage leaf) private {
        distributor.claim(leaf.epoch, leaf.index, leaf.account, leaf.kind, leaf.amount, _proof(leaf));
    }

    /// @dev Places 159 and 160 lie in different words of an epoch's bits; one payee has a key that lends its code to what burns
    /// gas (EIP-7702): it is paid, since nobody asks the code.
    function _drawLeaves(uint64 epoch) private {
        uint256[6] memory places = [uint256(0), 1, 159, 160, 415, type(uint64).max];
        for (uint256 i = 0; i < SOUND; ++i) _add(epoch, places[i], vm.addr(HOLDER_KEY + i), 100 + 7 * i);
        vm.etch(vm.addr(HOLDER_KEY), hex"5b600056000000000000000000000000000000000000ff");
        address odd = address(0x0DD);
        vm.etch(odd, hex"5b6000565b6000565b6000565b6000565b6000565b6000565b600056");
        _add(epoch, 1_000, odd, 10);
        _add(epoch, 1_001, address(token), 10);
        _add(epoch, 1_002, address(distributor), 10);
        _add(epoch, 1_003, address(0), 10);
        _add(epoch, 1_004, address(0xBEEF), type(uint256).max);
        _add(epoch, 1_005, address(0xBEEF), 0);
        _add(epoch, uint256(type(uint64).max) + 1, address(0xBEEF), 10);
        _add(epoch, type(uint256).max - 50, address(0xBEEF), 10);
        _add(epoch, type(uint256).max, address(0xBEEF), 10);
        uint256 count = _leaves.length / epoch;
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) hashes[i] = _hash(_leaves[(epoch - 1) * count + i]);
        _trees[epoch] = PayoutTree.build(hashes);
    }

    function _reasonOf(uint256 index) private pure returns (bytes4) {
        if (index <= 1_002) return EpochDistributor.EpochDistributorClaimNotSigned.selector;
        if (index == 1_003) return EpochDistributor.EpochDistributorPayeeRefused.selector;
        if (index == 1_004) return EpochDistributor.EpochDistributorTotalExceeded.selector;
        if (index == 1_005) return EpochDistributor.EpochDistributorLeafEmpty.selector;
        return EpochDistributor.EpochDistributorProofRefused.selector;
    }

    function _add(uint64 epoch, uint256 index, address account, uint256 amount) private {
        _leaves.push(EpochDistributor.Leaf(epoch, index, account, 0, amount));
    }

    function _sound() private view returns (uint256 sum) {
        for (uint256 i = 0; i < SOUND; ++i) sum += _leaves[i].amount;
    }

    function _leafIn(uint64 epoch, uint256 place) private view returns (EpochDistributor.Leaf storage) {
        return _leaves[(epoch - 1) * (_leaves.length / EPOCHS) + place];
    }

    function _soundLeaf(uint256 place) private view returns (EpochDistributor.Leaf storage) {
        return _leafIn(uint64(place / SOUND) + 1, place % SOUND);
    }

    function _soundLines(uint256[] memory places) private view returns (EpochDistributor.Line[] memory lines) {
        lines = new EpochDistributor.Line[](places.length);
        for (uint256 i = 0; i < places.length; ++i) lines[i] = _line(_soundLeaf(places[i]));
    }

    function _line(EpochDistributor.Leaf storage leaf) private view returns (EpochDistributor.Line memory) {
        return EpochDistributor.Line(leaf.epoch, leaf.index, leaf.account, leaf.kind, leaf.amount, _proof(leaf));
    }

    function _proof(EpochDistributor.Leaf storage leaf) private view returns (bytes32[] memory) {
        return PayoutTree.proofOf(_trees[leaf.epoch], _hash(leaf));
    }

    function _hash(EpochDistributor.Leaf storage leaf) private view returns (bytes32) {
        return distributor.leafOf(leaf.epoch, leaf.index, leaf.account, leaf.kind, leaf.amount);
    }

    /// @dev The first of `lines` that were paid before are those that are named, in order.
    function _checkPassedOver(EpochDistributor.Line[] memory lines, uint256 count, bytes4 expected) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 found = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != EpochDistributor.PassedOver.selector) continue;
            (uint256 index, bytes memory reason) = abi.decode(logs[i].data, (uint256, bytes));
            vm.assertEq(uint256(logs[i].topics[1]), lines[found].epoch, "epoch");
            vm.assertEq(index, lines[found].index, "place");
            vm.assertEq(address(uint160(uint256(logs[i].topics[2]))), lines[found].account, "account");
            vm.assertTrue(bytes4(reason) == expected, "reason");
            ++found;
        }
        vm.assertEq(found, count, "as many as were paid before");
    }

    function _shuffled(uint256 seed, uint256 first, uint256 count) private pure returns (uint256[] memory places) {
        places = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 j = _between(_derive(seed, i), 0, i);
            places[i] = places[j];
            places[j] = first + i;
        }
    }

    function _propose(uint64 epoch, uint256 total) private {
        EpochRoots.EpochRoot memory message = _message(_trees[epoch][0], total, uint64(_leaves.length / EPOCHS));
        registry.propose(message, _quorum(registry.hashEpochRoot(message)));
    }

    function _finalize(uint64 epoch, uint256 total) private {
        _propose(epoch, total);
        _wait(WINDOW);
        registry.finalize(epoch);
    }

    function _finalizeAll(uint256 total) private {
        for (uint64 epoch = 1; epoch <= EPOCHS; ++epoch) _finalize(epoch, total);
    }
}
