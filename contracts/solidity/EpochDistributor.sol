// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {EpochRoots, IReserves} from "./EpochRoots.sol";
import {ModelToken} from "./ModelToken.sol";
import {VerifierRegistry} from "./VerifierRegistry.sol";

/// @title Pays the leaves of final epoch roots
/// @notice A leaf's hash is its mint receipt, so that no leaf pays twice. What a proposed root pays is reserved at once.
contract EpochDistributor is EIP712, IReserves {
    error NotRegistry(address caller);
    error PayeeRefused(address to);
    error EpochNotFinal(uint64 epoch);
    error ProofRefused(uint64 epoch, uint256 index);
    error TotalExceeded(uint64 epoch, uint256 paid, uint256 total);
    error ClaimExpired(uint256 deadline);
    error ClaimNotSigned(address account);

    event Claimed(
        uint64 indexed epoch, uint256 index, address indexed account, uint8 kind, uint256 amount, address indexed to
    );

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
    /// @notice What leaves of an epoch were paid, never more than its total.
    mapping(uint64 epoch => uint256) public paid;

    /// @param token_ What is minted.
    /// @param registry_ Whose final roots are paid.
    constructor(ModelToken token_, VerifierRegistry registry_) EIP712("Commonweight", "1") {
        token = token_;
        registry = registry_;
    }

    /// @inheritdoc IReserves
    function reserve(uint256 amount) external {
        if (msg.sender != address(registry)) revert NotRegistry(msg.sender);
        token.reserve(amount);
    }

    /// @inheritdoc IReserves
    function release(uint256 amount) external {
        if (msg.sender != address(registry)) revert NotRegistry(msg.sender);
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
        if (account.code.length > DELEGATION_SIZE && msg.sender != account) revert ClaimNotSigned(account);
        _payLeaf(epoch, index, account, kind, amount, proof, account);
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
        if (block.timestamp > deadline) revert ClaimExpired(deadline);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(CLAIM_TO_TYPEHASH, epoch, index, account, kind, amount, to, deadline))
        );
        if (!SignatureChecker.isValidSignatureNow(account, digest, signature)) revert ClaimNotSigned(account);
        _payLeaf(epoch, index, account, kind, amount, proof, to);
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

    function _payLeaf(
        uint64 epoch,
        uint256 index,
        address account,
        uint8 kind,
        uint256 amount,
        bytes32[] calldata proof,
        address to
    ) private {
        if (to == address(token) || to == address(this)) revert PayeeRefused(to);
        (EpochRoots.Status status, bytes32 root, uint256 total) = registry.payoutOf(epoch);
        if (status != EpochRoots.Status.Final) revert EpochNotFinal(epoch);
        bytes32 leaf = leafOf(epoch, index, account, kind, amount);
        if (!MerkleProof.verifyCalldata(proof, root, leaf)) revert ProofRefused(epoch, index);
        paid[epoch] += amount;
        if (paid[epoch] > total) revert TotalExceeded(epoch, paid[epoch], total);
        token.mint(leaf, to, amount);
        emit Claimed(epoch, index, account, kind, amount, to);
    }
}
