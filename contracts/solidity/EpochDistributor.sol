// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EpochRoots, IReserves} from "./EpochRoots.sol";
import {ModelToken} from "./ModelToken.sol";
import {VerifierRegistry} from "./VerifierRegistry.sol";

/// @title Pays the leaves of final epoch roots
/// @notice A leaf's hash is its mint receipt, and a bit of its epoch says that it paid: no leaf pays twice. What a proposed
/// root pays is reserved at once.
contract EpochDistributor is EIP712, IReserves {
    error EpochDistributorNotRegistry(address caller);
    error EpochDistributorPayeeRefused(address to);
    error EpochDistributorEpochNotFinal(uint64 epoch);
    error EpochDistributorProofRefused(uint64 epoch, uint256 index);
    error EpochDistributorTotalExceeded(uint64 epoch, uint256 paid, uint256 total);
    error EpochDistributorClaimExpired(uint256 deadline);
    error EpochDistributorClaimNotSigned(address account);
    error EpochDistributorLeafPaid(uint64 epoch, uint256 index);
    error EpochDistributorLeafEmpty(uint64 epoch, uint256 index);
    error EpochDistributorNoLines();

    /// @dev One payout; hashed it is the leaf.
    struct Leaf {
        uint64 epoch;
        uint256 index;
        address account;
        uint8 kind;
        uint256 amount;
    }

    /// @dev A payout, and the sibling hashes from its leaf to its epoch's root.
    struct Line {
        uint64 epoch;
        uint256 index;
        address account;
        uint8 kind;
        uint256 amount;
        bytes32[] proof;
    }

    event Claimed(
        uint64 indexed epoch, uint256 index, address indexed account, uint8 kind, uint256 amount, address indexed to
    );
    /// @notice A line of `claimMany` that was not paid; `reason` is the error with which `claim` would have reverted.
    event PassedOver(uint64 indexed epoch, uint256 index, address indexed account, bytes reason);

    /// @notice Bytes of code that an account with a key may have: its delegation (EIP-7702). What has more is a contract,
    /// which may be unable to move tokens: it alone, or its signature, says where they go.
    uint256 public constant DELEGATION_SIZE = 23;
    /// @notice EIP-712 type of a claim to another address.
    bytes32 public constant CLAIM_TO_TYPEHASH = keccak256(
        "ClaimTo(uint64 epoch,uint256 index,address account,uint8 kind,uint256 amount,address to,uint256 deadline)"
    );

    /// @notice What is minted.
    ModelToken public immutable token;
    /// @notice Whose final roots are paid.
    VerifierRegistry public immutable registry;
    /// @dev Of an epoch what its leaves were paid, and a bit for each leaf that was, from there on: one slot for all of a small
    /// epoch.
    mapping(uint64 epoch => mapping(uint256 word => uint256)) private _books;
    /// @dev Of the first word: amounts stay below it, as the token's cap does.
    uint256 private constant PAID_BITS = 96;
    uint256 private constant PAID_MASK = 2 ** PAID_BITS - 1;

    /// @param token_ What is minted.
    /// @param registry_ Whose final roots are paid.
    constructor(ModelToken token_, VerifierRegistry registry_) EIP712("Commonweight", "1") {
        token = token_;
        registry = registry_;
    }

    /// @inheritdoc IReserves
    function reserve(uint256 amount) external {
        if (msg.sender != address(registry)) revert EpochDistributorNotRegistry(msg.sender);
        token.reserve(amount);
    }

    /// @inheritdoc IReserves
    function release(uint256 amount) external {
        if (msg.sender != address(registry)) revert EpochDistributorNotRegistry(msg.sender);
        token.release(amount);
    }

    /// @inheritdoc IReserves
    function supply() external view returns (uint256) {
        return token.totalSupply();
    }

    /// @notice Pays a leaf to its own account; anybody may call, for a contract only itself.
    /// @param epoch A final epoch.
    /// @param index Place of the leaf.
    /// @param account Whose leaf.
    /// @param kind Kind of contribution that it pays.
    /// @param amount In 1e-18 tokens.
    /// @param proof Sibling hashes from the leaf to the root.
    function claim(uint64 epoch, uint256 index, address account, uint8 kind, uint256 amount, bytes32[] calldata proof)
        external
    {
        _require(_payOwn(Leaf(epoch, index, account, kind, amount), proof));
    }

    /// @notice Pays leaves of any epochs, each to its own account; anybody may call, for a contract only itself. What
    /// cannot be paid, since somebody paid it meanwhile or for any other reason, is passed over and named.
    /// @dev Calls no code of a payee and catches nothing: too little gas undoes all of it, and is no reason to pass over one.
    /// How many a block has room for is the caller's to know.
    /// @param lines Payouts with their proofs, in any order.
    /// @return count How many were paid.
    function claimMany(Line[] calldata lines) external returns (uint256 count) {
        if (lines.length == 0) revert EpochDistributorNoLines();
        for (uint256 i = 0; i < lines.length; ++i) {
            Line calldata line = lines[i];
            Leaf memory leaf = Leaf(line.epoch, line.index, line.account, line.kind, line.amount);
            bytes memory reason = _payOwn(leaf, line.proof);
            if (reason.length == 0) ++count;
            else emit PassedOver(line.epoch, line.index, line.account, reason);
        }
    }

    /// @notice Pays a leaf to an address that the account signed; anybody may call.
    /// @param epoch A final epoch.
    /// @param index Place of the leaf.
    /// @param account Whose leaf, and who signed.
    /// @param kind Kind of contribution that it pays.
    /// @param amount In 1e-18 tokens.
    /// @param to Who is paid.
    /// @param deadline Last Unix second at which the signature counts.
    /// @param signature Over `ClaimTo`, by a key or by a contract (ERC-1271).
    /// @param proof Sibling hashes from the leaf to the root.
    function claimTo(
        uint64 epoch,
        uint256 index,
        address account,
        uint8 kind,
        uint256 amount,
        address to,
        uint256 deadline,
        bytes calldata signature,
        bytes32[] calldata proof
    ) external {
        if (block.timestamp > deadline) revert EpochDistributorClaimExpired(deadline);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(CLAIM_TO_TYPEHASH, epoch, index, account, kind, amount, to, deadline))
        );
        if (!SignatureChecker.isValidSignatureNow(account, digest, signature)) revert EpochDistributorClaimNotSigned(account);
        _require(_pay(Leaf(epoch, index, account, kind, amount), proof, to));
    }

    /// @notice What leaves of an epoch were paid, never more than its total.
    function paid(uint64 epoch) public view returns (uint256) {
        return _books[epoch][0] & PAID_MASK;
    }

    /// @notice Whether the leaf at a place of an epoch was paid; never again false once it is true.
    function isClaimed(uint64 epoch, uint256 index) public view returns (bool) {
        if (index > type(uint64).max) return false;
        uint256 place = PAID_BITS + index;
        return _books[epoch][place >> 8] >> (place & 255) & 1 == 1;
    }

    /// @notice The leaf of one payout, which is also its mint receipt.
    /// @dev As in `@openzeppelin/merkle-tree`: double keccak, so that no inner node is a leaf.
    function leafOf(uint64 epoch, uint256 index, address account, uint8 kind, uint256 amount)
        public
        view
        returns (bytes32)
    {
        return keccak256(
            bytes.concat(keccak256(abi.encode(block.chainid, address(this), epoch, index, account, kind, amount)))
        );
    }

    function _require(bytes memory refusal) private pure {
        if (refusal.length > 0) LowLevelCall.bubbleRevert(refusal);
    }

    /// @dev Pays a leaf to its own account; returns the error that keeps it from that, or nothing.
    function _payOwn(Leaf memory leaf, bytes32[] calldata proof) private returns (bytes memory refusal) {
        if (leaf.account.code.length > DELEGATION_SIZE && msg.sender != leaf.account) {
            return abi.encodeWithSelector(EpochDistributorClaimNotSigned.selector, leaf.account);
        }
        return _pay(leaf, proof, leaf.account);
    }

    /// @dev The same to any address.
    function _pay(Leaf memory leaf, bytes32[] calldata proof, address to) private returns (bytes memory refusal) {
        bytes32 receipt = leafOf(leaf.epoch, leaf.index, leaf.account, leaf.kind, leaf.amount);
        refusal = _refusalOf(leaf, receipt, proof, to);
        if (refusal.length > 0) return refusal;
        _note(leaf);
        token.mint(receipt, to, leaf.amount);
        emit Claimed(leaf.epoch, leaf.index, leaf.account, leaf.kind, leaf.amount, to);
    }

    /// @dev Nothing that passes here reverts later but by the token's pause: one line stops no other.
    function _refusalOf(Leaf memory leaf, bytes32 receipt, bytes32[] calldata proof, address to)
        private
        view
        returns (bytes memory)
    {
        bool lost = to == address(token) || to == address(this) || to == address(0);
        if (lost) return abi.encodeWithSelector(EpochDistributorPayeeRefused.selector, to);
        (EpochRoots.Status status, bytes32 root, uint256 total) = registry.payoutOf(leaf.epoch);
        if (status != EpochRoots.Status.Final) return abi.encodeWithSelector(EpochDistributorEpochNotFinal.selector, leaf.epoch);
        bool known = leaf.index <= type(uint64).max && MerkleProof.verifyCalldata(proof, root, receipt);
        if (!known) return abi.encodeWithSelector(EpochDistributorProofRefused.selector, leaf.epoch, leaf.index);
        (mapping(uint256 word => uint256) storage book, uint256 place) = (_books[leaf.epoch], PAID_BITS + leaf.index);
        if (book[place >> 8] >> (place & 255) & 1 == 1) {
            return abi.encodeWithSelector(EpochDistributorLeafPaid.selector, leaf.epoch, leaf.index);
        }
        if (leaf.amount == 0) return abi.encodeWithSelector(EpochDistributorLeafEmpty.selector, leaf.epoch, leaf.index);
        uint256 sum = Math.saturatingAdd(book[0] & PAID_MASK, leaf.amount);
        if (sum > total) return abi.encodeWithSelector(EpochDistributorTotalExceeded.selector, leaf.epoch, sum, total);
        return "";
    }

    function _note(Leaf memory leaf) private {
        (mapping(uint256 word => uint256) storage book, uint256 place) = (_books[leaf.epoch], PAID_BITS + leaf.index);
        (uint256 word, uint256 bit) = (place >> 8, 1 << (place & 255));
        uint256 first = book[0] + leaf.amount;
        if (word == 0) first |= bit;
        else book[word] |= bit;
        book[0] = first;
    }
}
