// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EpochDistributor} from "commonweight/EpochDistributor.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {ModelToken} from "commonweight/ModelToken.sol";
import {EpochRoots} from "commonweight/EpochRoots.sol";
import {Genesis} from "./Genesis.sol";
import {PayoutTree} from "./PayoutTree.sol";

/// @title What a leaf pays, to whom, when and how often
contract ClaimsTest is Genesis {
    uint256 private constant LEAVES = 7;
    uint256 private constant HOLDER_KEY = 0xA11CE;
    uint64 private constant EPOCH = 1;
    uint256 private constant DEADLINE = 1 days;

    bytes32[] private _tree;

    function setUp() external {
        _deploy(new ModelRegistry(), "Claims", 3);
        _stakeAll();
        bytes32[] memory leaves = new bytes32[](LEAVES);
        for (uint256 i = 0; i < LEAVES; ++i) leaves[i] = _leaf(i);
        _tree = PayoutTree.build(leaves);
    }

    function testFuzz_a_leaf_pays_its_account_once_whoever_asks(uint256 place, address relayer) external {
        place %= LEAVES;
        _finalize(_sum());
        vm.prank(relayer);
        this.claim(place);
        vm.assertEq(token.balanceOf(_holder(place)), _amount(place), "the account has its amount");
        bytes memory again = abi.encodeCall(this.claim, (place));
        _refuse(relayer, address(this), 0, again, EpochDistributor.EpochDistributorLeafPaid.selector);
    }

    function testFuzz_nothing_is_claimable_before_the_root_is_final(uint256 place, uint256 wait) external {
        bytes memory call = abi.encodeCall(this.claim, (place % LEAVES));
        bytes4 notFinal = EpochDistributor.EpochDistributorEpochNotFinal.selector;
        _refuse(address(this), address(this), 0, call, notFinal);
        _propose(_sum());
        _refuse(address(this), address(this), 0, call, notFinal);
        vm.deal(address(this), BOND);
        registry.challenge{value: BOND}(EPOCH);
        _wait(_between(wait, 0, 3 * WINDOW));
        _refuse(address(this), address(this), 0, call, notFinal);
        _resolve(EPOCH, false);
        _refuse(address(this), address(this), 0, call, notFinal);
        _wait(WINDOW);
        _refuse(address(this), address(this), 0, call, notFinal);
        registry.finalize(EPOCH);
        this.claim(place % LEAVES);
    }

    /// @notice k verifiers sign a total below what the leaves add up to: the total holds.
    function testFuzz_an_epoch_pays_no_more_than_its_total(uint256 total) external {
        total = _between(total, 0, _sum() - 1);
        _finalize(total);
        uint256 paid = 0;
        for (uint256 i = 0; i < LEAVES; ++i) {
            bytes memory call = abi.encodeCall(this.claim, (i));
            if (paid + _amount(i) > total) {
                _refuse(address(this), address(this), 0, call, EpochDistributor.EpochDistributorTotalExceeded.selector);
            } else {
                this.claim(i);
                paid += _amount(i);
            }
        }
        vm.assertEq(token.totalSupply(), paid, "minted is what was paid");
        vm.assertEq(distributor.paid(EPOCH), paid, "paid is counted");
    }

    /// @notice Faults are signed under the root of an epoch that pays nobody, too, and nothing is claimed from it.
    function testFuzz_an_epoch_may_pay_nobody(uint256 place, uint256 amount, bytes32[] calldata proof) external {
        EpochRoots.EpochRoot memory message = _message(bytes32(0), 0, 0);
        registry.propose(message, _quorum(registry.hashEpochRoot(message)));
        _wait(WINDOW);
        registry.finalize(EPOCH);
        vm.assertTrue(registry.isFinal(EPOCH), "it is final");
        address account = _holder(place % LEAVES);
        amount = place % 2 == 0 ? 0 : amount;
        bytes memory call = abi.encodeCall(distributor.claim, (EPOCH, place, account, 0, amount, proof));
        _refuse(account, address(distributor), 0, call, EpochDistributor.EpochDistributorProofRefused.selector);
        _refuse(account, address(this), 0, abi.encodeCall(this.claim, (place % LEAVES)), EpochDistributor.EpochDistributorProofRefused.selector);
    }

    function testFuzz_only_the_exact_leaf_is_in_the_tree(uint256 place, uint256 field, uint256 other) external {
        place %= LEAVES;
        _finalize(_sum());
        (uint256 index, address account, uint8 kind, uint256 amount) =
            (place, _holder(place), _kind(place), _amount(place));
        other = _between(other, 1, 200);
        if (field % 4 == 0) index += other;
        if (field % 4 == 1) account = address(uint160(account) ^ uint160(other));
        if (field % 4 == 2) kind = uint8(kind + other);
        if (field % 4 == 3) amount += other;
        bytes memory call = abi.encodeCall(distributor.claim, (EPOCH, index, account, kind, amount, _proof(place)));
        _refuse(address(this), address(distributor), 0, call, EpochDistributor.EpochDistributorProofRefused.selector);
    }

    function testFuzz_a_share_goes_elsewhere_only_under_its_accounts_signature(uint256 place, uint256 key, address to)
        external
    {
        place %= LEAVES;
        vm.assume(to != address(0) && to != address(token) && to != address(distributor)); // refused: nobody could move them
        vm.assume(to != address(0xE15E));
        key = _between(key, 1, type(uint128).max);
        vm.assume(vm.addr(key) != _holder(place));
        _finalize(_sum());
        bytes memory stolen = _claimTo(place, to, key, to);
        _refuse(to, address(distributor), 0, stolen, EpochDistributor.EpochDistributorClaimNotSigned.selector);
        bytes memory redirected = _claimTo(place, address(0xE15E), HOLDER_KEY + place, to);
        _refuse(to, address(distributor), 0, redirected, EpochDistributor.EpochDistributorClaimNotSigned.selector);
        (bool paid,) = address(distributor).call(_claimTo(place, to, HOLDER_KEY + place, to));
        vm.assertTrue(paid, "under the signature it is paid");
        vm.assertEq(token.balanceOf(to), _amount(place), "to whom the account said");
    }

    /// @notice Tokens in a contract that cannot move them are lost: nobody sends them there before it says where to.
    function testFuzz_nobody_claims_for_a_contract_but_itself(uint256 place, address anybody, uint256 size) external {
        place %= LEAVES;
        address wallet = _holder(place);
        vm.assume(anybody != wallet);
        _finalize(_sum());
        bytes memory code = new bytes(_between(size, 0, 100));
        vm.etch(wallet, code);
        bytes memory call = _claim(place);
        if (code.length > distributor.DELEGATION_SIZE()) {
            _refuse(anybody, address(distributor), 0, call, EpochDistributor.EpochDistributorClaimNotSigned.selector);
            vm.prank(wallet);
        }
        (bool paid,) = address(distributor).call(call);
        vm.assertTrue(paid && token.balanceOf(wallet) == _amount(place), "it has its amount");
    }

    function testFuzz_nobody_mints_without_a_budget_nor_beyond_it(address minter, uint256 amount, uint256 budget)
        external
    {
        vm.assume(minter != address(distributor) && minter != address(pool));
        amount = _between(amount, 0, CAP);
        budget = _between(budget, 1, SPARE);
        bytes memory call = abi.encodeCall(token.mint, (keccak256("receipt"), minter, amount));
        bytes memory more = abi.encodeCall(token.reserve, (budget + 1));
        _refuse(minter, address(token), 0, call, ModelToken.ModelTokenReserveExceeded.selector);
        _refuse(minter, address(token), 0, more, ModelToken.ModelTokenBudgetExceeded.selector);
        vm.assume(minter != address(0));
        vm.prank(address(timelock));
        token.setBudget(minter, budget);
        _refuse(minter, address(token), 0, call, ModelToken.ModelTokenReserveExceeded.selector);
        _refuse(minter, address(token), 0, more, ModelToken.ModelTokenBudgetExceeded.selector);
        vm.prank(minter);
        token.reserve(budget);
        vm.assertEq(token.budgetOf(minter), 0, "what is reserved is out of the budget");
        if (amount > budget) {
            _refuse(minter, address(token), 0, call, ModelToken.ModelTokenReserveExceeded.selector);
            return;
        }
        vm.prank(minter);
        token.mint(keccak256("receipt"), minter, amount);
        vm.assertEq(token.reservedOf(minter), budget - amount, "a mint costs what was reserved");
    }

    /// @notice A vote for 0 or a unit under the receipts of chosen earners, with or without all of the budget.
    function testFuzz_no_vote_takes_what_a_final_epoch_owes(uint256 place, uint256 beneath) external {
        place %= LEAVES;
        _finalize(_sum());
        vm.startPrank(address(timelock));
        token.setBudget(address(distributor), 0);
        token.setBudget(address(this), SPARE);
        vm.stopPrank();
        token.reserve(SPARE);
        token.mint(_leaf(place), address(this), _between(beneath, 0, 1));
        this.claim(place);
        vm.assertEq(token.balanceOf(_holder(place)), _amount(place), "the account has its amount");
    }

    function testFuzz_a_root_above_what_can_be_reserved_is_refused(uint256 total) external {
        vm.prank(address(timelock));
        token.setBudget(address(distributor), _sum());
        total = _between(total, _sum() + 1, MAX_EPOCH_TOTAL);
        EpochRoots.EpochRoot memory message = _message(_tree[0], total, uint64(LEAVES));
        bytes memory call = abi.encodeCall(registry.propose, (message, _quorum(registry.hashEpochRoot(message))));
        _refuse(address(this), address(registry), 0, call, ModelToken.ModelTokenBudgetExceeded.selector);
        _finalize(_sum());
        vm.assertEq(token.reservedOf(address(distributor)), _sum(), "what it owes");
    }

    /// @notice A pause ends by itself, and the next one does not follow it at once.
    function testFuzz_a_pause_of_claims_has_an_end(uint256 place, uint256 when) external {
        place %= LEAVES;
        _finalize(_sum());
        bytes memory call = abi.encodeCall(this.claim, (place));
        bytes memory pause = abi.encodeCall(token.setMintingPaused, (true));
        vm.prank(address(timelock));
        token.setMintingPaused(true);
        _wait(_between(when, 0, token.LONGEST_PAUSE() - 1));
        _refuse(address(this), address(this), 0, call, ModelToken.ModelTokenMintingPaused.selector);
        _refuse(address(timelock), address(token), 0, pause, ModelToken.ModelTokenPauseTooSoon.selector);
        vm.warp(token.pausedUntil());
        _refuse(address(timelock), address(token), 0, pause, ModelToken.ModelTokenPauseTooSoon.selector);
        this.claim(place);
        _wait(token.LONGEST_PAUSE());
        vm.prank(address(timelock));
        token.setMintingPaused(true);
    }

    function testFuzz_the_cap_holds_for_all_minters_together(uint256 first, uint256 second, uint256 minted)
        external
    {
        first = _between(first, 1, SPARE);
        second = _between(second, 1, 2 * CAP);
        _mayMint(first);
        token.mint(keccak256("minted"), address(this), _between(minted, 0, first));
        bytes memory call = abi.encodeCall(token.setBudget, (DEPLOYER, second));
        if (second > CAP) {
            _refuse(address(timelock), address(token), 0, call, ModelToken.ModelTokenCapExceeded.selector);
            return;
        }
        vm.prank(address(timelock));
        token.setBudget(DEPLOYER, second);
        uint256 left = second < SPARE - first ? second : SPARE - first;
        vm.assertEq(token.budgetOf(DEPLOYER), left, "no more than the cap leaves");
        vm.assertEq(token.allotted(), CAP - SPARE + first + left, "supply and budgets are what is allotted");
    }

    /// @notice Whether minting was stopped within a span is known of every pause, also of one that nobody ended.
    function testFuzz_every_pause_is_remembered(uint256 seed, uint256 from, uint256 until) external {
        (uint256[3] memory begins, uint256[3] memory ends) = _threePauses(seed);
        until = _between(until, begins[0] - 1, _now());
        from = _between(from, begins[0] - 1, until);
        bool stopped = false;
        for (uint256 i = 0; i < 3; ++i) if (begins[i] <= until && ends[i] > from) stopped = true;
        vm.assertTrue(token.pausedWithin(uint48(from), uint48(until)) == stopped, "as it was");
    }

    function testFuzz_a_budget_taken_back_is_free_for_another(uint256 budget, uint256 minted) external {
        budget = _between(budget, 1, SPARE);
        minted = _between(minted, 0, budget);
        _mayMint(budget);
        token.mint(keccak256("minted"), address(this), minted);
        token.release(budget - minted);
        vm.startPrank(address(timelock));
        token.setBudget(address(this), 0);
        token.setBudget(DEPLOYER, SPARE - minted);
        vm.assertEq(token.budgetOf(DEPLOYER), SPARE - minted, "all that is free");
        token.setBudget(DEPLOYER, SPARE - minted + 1);
        vm.stopPrank();
        vm.assertEq(token.budgetOf(DEPLOYER), SPARE - minted, "and no more");
    }

    /// @dev A claim of a leaf of this tree, for calls from outside.
    function claim(uint256 place) external {
        distributor.claim(EPOCH, place, _holder(place), _kind(place), _amount(place), _proof(place));
    }

    function _claim(uint256 place) private view returns (bytes memory) {
        return abi.encodeCall(
            distributor.claim, (EPOCH, place, _holder(place), _kind(place), _amount(place), _proof(place))
        );
    }

    /// @dev A claim to `to` under a signature of `key` over a claim to `signedTo`.
    function _claimTo(uint256 place, address to, uint256 key, address signedTo) private view returns (bytes memory) {
        return _claimCall(place, to, _sign(key, _typedDigest(address(distributor), _claimHash(place, signedTo))));
    }

    function _claimCall(uint256 place, address to, bytes memory signature) private view returns (bytes memory) {
        bytes32[] memory proof = _proof(place);
        return abi.encodeCall(
            distributor.claimTo,
            (EPOCH, place, _holder(place), _kind(place), _amount(place), to, DEADLINE, signature, proof)
        );
    }

    function _claimHash(uint256 place, address to) private view returns (bytes32) {
        bytes32 kind = distributor.CLAIM_TO_TYPEHASH();
        return keccak256(abi.encode(kind, EPOCH, place, _holder(place), _kind(place), _amount(place), to, DEADLINE));
    }

    function _propose(uint256 total) private {
        EpochRoots.EpochRoot memory message = _message(_tree[0], total, uint64(LEAVES));
        registry.propose(message, _quorum(registry.hashEpochRoot(message)));
    }

    function _finalize(uint256 total) private {
        _propose(total);
        _wait(WINDOW);
        registry.finalize(EPOCH);
    }

    function _holder(uint256 place) private pure returns (address) {
        return vm.addr(HOLDER_KEY + place);
    }

    function _kind(uint256 place) private pure returns (uint8) {
        return uint8(place % 4);
    }

    function _amount(uint256 place) private pure returns (uint256) {
        return 100 + 37 * place;
    }

    function _sum() private pure returns (uint256 sum) {
        for (uint256 i = 0; i < LEAVES; ++i) sum += _amount(i);
    }

    function _leaf(uint256 place) private view returns (bytes32) {
        return distributor.leafOf(EPOCH, place, _holder(place), _kind(place), _amount(place));
    }

    function _proof(uint256 place) private view returns (bytes32[] memory) {
        return PayoutTree.proofOf(_tree, _leaf(place));
    }

    /// @dev Three pauses, each as soon as it may be or later; some are ended, the others end by themselves.
    function _threePauses(uint256 seed) private returns (uint256[3] memory begins, uint256[3] memory ends) {
        uint256 longest = token.LONGEST_PAUSE();
        for (uint256 i = 0; i < 3; ++i) {
            _wait(_between(_derive(seed, i), i == 0 ? 1 : longest, longest + 3 days));
            vm.prank(address(timelock));
            token.setMintingPaused(true);
            (begins[i], ends[i]) = (_now(), _now() + longest);
            if ((seed >> i) % 2 == 0) {
                vm.warp(ends[i]);
                continue;
            }
            _wait(_between(_derive(seed, 3 + i), 1, longest - 1));
            vm.prank(address(timelock));
            token.setMintingPaused(false);
            ends[i] = _now();
        }
    }
}
