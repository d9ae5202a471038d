// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EpochDistributor} from "commonweight/EpochDistributor.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {ModelToken} from "commonweight/ModelToken.sol";
import {EpochRoots} from "commonweight/EpochRoots.sol";
import {VerifierSet} from "commonweight/VerifierSet.sol";
import {Genesis} from "./Genesis.sol";
import {PayoutTree} from "./PayoutTree.sol";

/// @title Random histories from roots to tokens, honest steps and attacks, beside a second account of what must hold
/// @notice An action never reverts: what must be refused is tried, and has to fail with the right error.
contract SettlementHandler is Genesis {
    struct Leaf {
        uint256 index;
        address account;
        uint8 kind;
        uint256 amount;
        bool claimed;
    }

    uint256 private constant HOLDER_KEY = 0xA11CE;
    uint256 private constant HOLDERS = 5;

    address[] private _holders;
    Leaf private _none;
    mapping(uint64 epoch => Leaf[]) private _leaves;
    mapping(uint64 epoch => bytes32[]) private _trees;
    mapping(uint64 epoch => uint256) public totalOf;
    mapping(uint64 epoch => uint256) public paidIn;
    mapping(uint64 epoch => uint256) public closesAt;
    mapping(uint64 epoch => uint32) private _disputes;
    uint256 private _lapsesAt;
    uint256 public minted;
    uint256 public claims;
    /// @dev What another minter minted under receipts of the distributor.
    uint256 public beneath;
    uint64 public rejected;

    constructor() {
        _deploy(new ModelRegistry(), "Settled", 4);
        _stakeAll();
        for (uint256 i = 0; i < HOLDERS; ++i) _holders.push(vm.addr(HOLDER_KEY + i));
    }

    // ---- honest steps

    /// @notice A root over 2 to 9 leaves, sometimes with a total below their sum: k verifiers may lie.
    function propose(uint256 seed) external {
        uint64 epoch = _open();
        if (_status(epoch) != EpochRoots.Status.None) return;
        uint256 total = _drawLeaves(epoch, seed);
        bytes32 root = _trees[epoch][0];
        EpochRoots.EpochRoot memory message = _message(root, total, uint64(_leaves[epoch].length));
        bytes[] memory signatures = _quorum(registry.hashEpochRoot(message));
        if (total > token.budgetOf(address(distributor))) {
            bytes memory call = abi.encodeCall(registry.propose, (message, signatures));
            return _refuse(address(this), address(registry), 0, call, ModelToken.ModelTokenBudgetExceeded.selector);
        }
        registry.propose(message, signatures);
        totalOf[epoch] = total;
        closesAt[epoch] = _now() + WINDOW;
    }

    function challenge(uint256 seed) external {
        uint64 epoch = _open();
        if (_status(epoch) != EpochRoots.Status.Proposed || _now() >= closesAt[epoch]) return;
        address challenger = _holder(seed);
        uint256 bond = registry.bondNow();
        vm.deal(challenger, bond);
        vm.prank(challenger);
        registry.challenge{value: bond}(epoch);
        ++_disputes[epoch];
        _lapsesAt = _now() + DISPUTE_LIMIT;
    }

    function resolve(bool upheld) external {
        uint64 epoch = _open();
        if (_status(epoch) != EpochRoots.Status.Disputed) return;
        _resolve(epoch, upheld);
        if (!upheld) closesAt[epoch] = _now() + WINDOW;
        if (!upheld) return;
        ++rejected;
        for (uint256 i = 0; i < keys.length; ++i) _topUp(seats[i]);
    }

    /// @notice Too early it is refused, in time it is done; one dispute in four is left to lapse.
    function lapse(uint256 seed) external {
        uint64 epoch = _open();
        if (_status(epoch) != EpochRoots.Status.Disputed) return;
        if (_now() < _lapsesAt) {
            bytes memory early = abi.encodeCall(registry.lapse, (epoch));
            _refuse(_holder(seed), address(registry), 0, early, EpochRoots.EpochRootsDisputeOpen.selector);
            if (seed % 4 > 0) return;
            vm.warp(_lapsesAt);
        }
        registry.lapse(epoch);
        ++rejected;
    }

    function wait(uint256 seed) external {
        _wait(_between(seed, 1, WINDOW));
    }

    /// @notice Too early it is refused, in time it is done.
    function finalize() external {
        uint64 epoch = _open();
        if (_status(epoch) != EpochRoots.Status.Proposed) return;
        if (_now() < closesAt[epoch]) {
            bytes memory early = abi.encodeCall(registry.finalize, (epoch));
            _refuse(address(this), address(registry), 0, early, EpochRoots.EpochRootsWindowOpen.selector);
            vm.warp(closesAt[epoch]);
        }
        registry.finalize(epoch);
    }

    /// @notice Any leaf of any epoch, for anybody: the one right answer is known beforehand.
    function claim(uint256 seed) external {
        (uint64 epoch, Leaf storage leaf) = _pick(seed);
        if (epoch == 0) return;
        bytes4 refusal = _refusal(epoch, leaf);
        bytes memory call = _claimCall(epoch, leaf, leaf.amount);
        if (refusal != bytes4(0)) {
            _refuse(_holder(seed), address(distributor), 0, call, refusal);
            return;
        }
        _claim(_holder(seed), epoch, leaf);
    }

    /// @notice Up to eight leaves of any epochs in one call, the same one perhaps twice: who can be paid is, and no one else.
    function claimMany(uint256 seed) external {
        uint256 count = _between(seed, 1, 8);
        EpochDistributor.Line[] memory lines = new EpochDistributor.Line[](count);
        uint256 payable_ = 0;
        for (uint256 i = 0; i < count; ++i) {
            (uint64 epoch, Leaf storage leaf) = _pick(_derive(seed, i));
            if (epoch == 0) return;
            bytes32[] memory proof = _proof(epoch, leaf);
            lines[i] = EpochDistributor.Line(epoch, leaf.index, leaf.account, leaf.kind, leaf.amount, proof);
        }
        vm.prank(_holder(seed));
        uint256 paid = distributor.claimMany(lines);
        for (uint256 i = 0; i < count; ++i) {
            (uint64 epoch, Leaf storage leaf) = _pick(_derive(seed, i));
            if (_refusal(epoch, leaf) != bytes4(0)) continue;
            ++payable_;
            _book(epoch, leaf);
        }
        vm.assertEq(paid, payable_, "as many as could be paid");
    }

    /// @notice The account sends its share elsewhere, under its signature.
    function claimTo(uint256 seed) external {
        (uint64 epoch, Leaf storage leaf) = _pick(seed);
        if (epoch == 0 || _refusal(epoch, leaf) != bytes4(0)) return;
        address to = _holder(seed >> 8);
        uint256 deadline = _now();
        bytes memory signature = _signClaim(epoch, leaf, to, deadline);
        bytes32[] memory proof = _proof(epoch, leaf);
        distributor.claimTo(
            epoch, leaf.index, leaf.account, leaf.kind, leaf.amount, to, deadline, signature, proof
        );
        _book(epoch, leaf);
    }

    /// @notice A root from proposal to its last claim, where nobody disputes it: brings histories near the cap.
    function settle(uint256 seed) external {
        this.propose(seed);
        this.finalize();
        uint64 epoch = registry.finalizedEpochs();
        if (epoch == 0) return;
        for (uint256 i = 0; i < _leaves[epoch].length; ++i) {
            if (_refusal(epoch, _leaves[epoch][i]) == bytes4(0)) _claim(_holder(seed), epoch, _leaves[epoch][i]);
        }
    }

    function transfer(uint256 seed) external {
        address from = _holder(seed);
        uint256 amount = _between(seed >> 16, 0, token.balanceOf(from));
        vm.prank(from);
        token.transfer(_holder(seed >> 8), amount);
    }

    // ---- attacks

    /// @notice The holders take back what budget they can, and give some again: what is owed stays.
    function setBudget(uint256 seed) external {
        uint256 most = token.budgetOf(address(distributor)) + CAP - token.allotted();
        vm.prank(address(timelock));
        token.setBudget(address(distributor), seed % 3 == 0 ? 0 : most);
    }

    /// @notice Another minter, with a budget of its own, pays the receipts of others: its own are paid, no one else's.
    function mintBeneath(uint256 seed) external {
        (uint64 epoch, Leaf storage leaf) = _pick(seed);
        if (epoch == 0) return;
        bytes32 receipt = distributor.leafOf(epoch, leaf.index, leaf.account, leaf.kind, leaf.amount);
        if (token.allotted() == CAP) return;
        vm.prank(address(timelock));
        token.setBudget(address(this), 1);
        token.reserve(1);
        token.mint(receipt, address(this), 1);
        ++beneath;
    }

    /// @notice A leaf with another amount, or under another epoch's root.
    function claimAltered(uint256 seed) external {
        (uint64 epoch, Leaf storage leaf) = _pick(seed);
        if (epoch == 0 || !registry.isFinal(epoch)) return;
        bytes memory call = _claimCall(epoch, leaf, leaf.amount + 1);
        _refuse(_holder(seed), address(distributor), 0, call, EpochDistributor.EpochDistributorProofRefused.selector);
    }

    /// @notice Somebody takes another's share to his own address.
    function stealClaim(uint256 seed) external {
        (uint64 epoch, Leaf storage leaf) = _pick(seed);
        if (epoch == 0) return;
        address thief = address(0x7111EF);
        bytes memory call = abi.encodeCall(
            distributor.claimTo,
            (
                epoch, leaf.index, leaf.account, leaf.kind, leaf.amount, thief, _now(),
                _sign(0xBAD, keccak256("claim")), _proof(epoch, leaf)
            )
        );
        _refuse(thief, address(distributor), 0, call, EpochDistributor.EpochDistributorClaimNotSigned.selector);
    }

    function mintDirectly(uint256 seed) external {
        bytes32 receipt = keccak256(abi.encode("made up", seed));
        bytes memory call = abi.encodeCall(token.mint, (receipt, _holder(seed), _between(seed, 1, CAP)));
        _refuse(_holder(seed), address(token), 0, call, ModelToken.ModelTokenReserveExceeded.selector);
    }

    /// @notice One verifier's signature given twice, or two in the wrong order.
    function proposeUnsorted(uint256 seed) external {
        if (_status(_open()) != EpochRoots.Status.None) return;
        EpochRoots.EpochRoot memory message = _message(bytes32(seed), 1, 1);
        uint256[] memory places = new uint256[](2);
        places[0] = 1;
        places[1] = seed % 2;
        bytes[] memory signatures = _signatures(registry.hashEpochRoot(message), places);
        bytes memory call = abi.encodeCall(registry.propose, (message, signatures));
        _refuse(_holder(seed), address(registry), 0, call, VerifierSet.VerifierSetSignersNotSorted.selector);
    }

    function proposeTooMuch(uint256 seed) external {
        if (_status(_open()) != EpochRoots.Status.None) return;
        EpochRoots.EpochRoot memory message = _message(bytes32(seed), _between(seed, MAX_EPOCH_TOTAL + 1, CAP), 1);
        bytes memory call = abi.encodeCall(registry.propose, (message, _quorum(registry.hashEpochRoot(message))));
        _refuse(_holder(seed), address(registry), 0, call, EpochRoots.EpochRootsTotalTooLarge.selector);
    }

    // ---- what invariants ask

    function open() external view returns (uint64) {
        return _open();
    }

    /// @notice Whether each leaf is paid exactly where this handler saw it claimed.
    function checkReceipts(uint64 epoch) external view {
        for (uint256 i = 0; i < _leaves[epoch].length; ++i) {
            Leaf storage leaf = _leaves[epoch][i];
            bool paid = distributor.isClaimed(epoch, leaf.index);
            vm.assertTrue(paid == leaf.claimed, "a leaf is paid if and only if it was claimed");
        }
    }

    /// @notice What the distributor may mint in all.
    function budget() external pure returns (uint256) {
        return BUDGET;
    }

    function balances() external view returns (uint256 sum) {
        for (uint256 i = 0; i < HOLDERS; ++i) sum += token.balanceOf(_holder(i));
    }

    // ---- parts

    function _open() private view returns (uint64) {
        return registry.finalizedEpochs() + 1;
    }

    function _status(uint64 epoch) private view returns (EpochRoots.Status) {
        return registry.epochOf(epoch).status;
    }

    function _holder(uint256 seed) private view returns (address) {
        return _holders[seed % HOLDERS];
    }

    /// @dev Stakes what a slash took.
    function _topUp(address verifier) private {
        uint256 left = registry.stakeOf(verifier);
        if (left < MIN_STAKE) _stake(verifier, MIN_STAKE - left);
    }

    function _drawLeaves(uint64 epoch, uint256 seed) private returns (uint256 total) {
        delete _leaves[epoch];
        uint256 count = _between(seed, 2, 9);
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 drawn = _derive(seed, i);
            uint256 amount = _between(drawn >> 32, 1, MAX_EPOCH_TOTAL / count);
            Leaf memory leaf = Leaf(i, _holder(drawn), uint8((drawn >> 16) % 4), amount, false);
            _leaves[epoch].push(leaf);
            hashes[i] = distributor.leafOf(epoch, i, leaf.account, leaf.kind, leaf.amount);
            total += leaf.amount;
        }
        _trees[epoch] = PayoutTree.build(hashes);
        if (seed % 3 == 0) total -= _between(seed >> 64, 0, total / 2);
    }

    /// @dev A leaf of the last root or of one before it; epoch 0 where there is none.
    function _pick(uint256 seed) private view returns (uint64 epoch, Leaf storage leaf) {
        epoch = uint64(_between(seed >> 128, 1, _open()));
        uint256 count = _leaves[epoch].length;
        if (count == 0) return (0, _none);
        leaf = _leaves[epoch][(seed >> 192) % count];
    }

    /// @dev The error with which a claim of this leaf must fail now, or nothing.
    function _refusal(uint64 epoch, Leaf storage leaf) private view returns (bytes4) {
        if (!registry.isFinal(epoch)) return EpochDistributor.EpochDistributorEpochNotFinal.selector;
        if (leaf.claimed) return EpochDistributor.EpochDistributorLeafPaid.selector;
        if (paidIn[epoch] + leaf.amount > totalOf[epoch]) return EpochDistributor.EpochDistributorTotalExceeded.selector;
        return bytes4(0);
    }

    function _proof(uint64 epoch, Leaf storage leaf) private view returns (bytes32[] memory) {
        bytes32 hash = distributor.leafOf(epoch, leaf.index, leaf.account, leaf.kind, leaf.amount);
        return PayoutTree.proofOf(_trees[epoch], hash);
    }

    function _claimCall(uint64 epoch, Leaf storage leaf, uint256 amount) private view returns (bytes memory) {
        return abi.encodeCall(
            distributor.claim, (epoch, leaf.index, leaf.account, leaf.kind, amount, _proof(epoch, leaf))
        );
    }

    function _claim(address relayer, uint64 epoch, Leaf storage leaf) private {
        bytes32[] memory proof = _proof(epoch, leaf);
        vm.prank(relayer);
        distributor.claim(epoch, leaf.index, leaf.account, leaf.kind, leaf.amount, proof);
        _book(epoch, leaf);
    }

    function _book(uint64 epoch, Leaf storage leaf) private {
        leaf.claimed = true;
        paidIn[epoch] += leaf.amount;
        minted += leaf.amount;
        ++claims;
    }

    function _signClaim(uint64 epoch, Leaf storage leaf, address to, uint256 deadline)
        private
        view
        returns (bytes memory)
    {
        bytes32 content = keccak256(
            abi.encode(
                distributor.CLAIM_TO_TYPEHASH(), epoch, leaf.index, leaf.account, leaf.kind, leaf.amount, to, deadline
            )
        );
        uint256 place = 0;
        while (_holders[place] != leaf.account) ++place;
        return _sign(HOLDER_KEY + place, _typedDigest(address(distributor), content));
    }
}
