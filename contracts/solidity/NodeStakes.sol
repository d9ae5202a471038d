// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {HeldMoney} from "./HeldMoney.sol";

/// @title Stakes of nodes, which k verifiers can take when a proof was rejected
/// @notice Anybody may stake as a node. What is being withdrawn no longer counts as stake, and can be taken until it is paid.
abstract contract NodeStakes is EIP712, HeldMoney {
    struct NodeFault {
        bytes32 model;
        address node;
        bytes32 proof;
        uint64 deadline;
    }

    /// @dev Times in Unix seconds. It is paid from `availableAt` on, later by what epochs were disputed since `disputed`, or
    /// as soon as two epochs are final in which all is settled that opened until `requestedAt`.
    struct NodeWithdrawal {
        uint256 amount;
        uint64 requestedAt;
        uint64 availableAt;
        uint64 disputed;
    }

    error NodeStakesStakeTooSmall(address node, uint256 requested, uint256 stake);
    error NodeStakesStepTooSmall(uint256 amount, uint256 least);
    error NodeStakesNoWithdrawal(address node);
    error NodeStakesWithdrawalLocked(address node, uint64 requestedAt, uint64 availableAt);
    error NodeStakesReceiverMissing();

    /// @notice The stake that counts, after every change of it.
    event NodeStakeChanged(address indexed node, uint256 stake);
    /// @notice All that the node is withdrawing, since when, and when it can be paid at the latest.
    event NodeWithdrawalRequested(address indexed node, uint256 amount, uint64 requestedAt, uint64 availableAt);
    event NodeWithdrawn(address indexed node, address indexed to, uint256 amount);
    event NodeSlashed(address indexed node, bytes32 indexed proof, uint256 amount);

    /// @notice EIP-712 type of what verifiers sign against a node.
    bytes32 public constant NODE_FAULT_TYPEHASH =
        keccak256("NodeFault(bytes32 model,address node,bytes32 proof,uint64 deadline)");

    /// @notice Most wei that one fault costs.
    uint256 public immutable nodeSlashCap;
    /// @notice Least wei by which a node's stake changes, but for what is left of it: each change is read by everybody, and
    /// stands in the log for ever.
    uint256 public immutable nodeStakeStep;
    /// @notice Seconds from the last request to the payment at the latest.
    uint64 public immutable nodeWithdrawalDelay;

    /// @notice Stake of a node that counts, in wei.
    mapping(address node => uint256) public nodeStakeOf;
    /// @notice What a node is withdrawing.
    mapping(address node => NodeWithdrawal) public pendingWithdrawalOf;
    /// @notice What a node lost for a proof so far, in wei: at most the cap, in all.
    mapping(bytes32 proof => mapping(address node => uint256)) public slashedFor;

    /// @param nodeSlashCap_ Most wei that one fault costs.
    /// @param nodeWithdrawalDelay_ Seconds from the last request to the payment at the latest.
    constructor(uint256 nodeSlashCap_, uint64 nodeWithdrawalDelay_) {
        nodeSlashCap = nodeSlashCap_;
        nodeStakeStep = Math.max(nodeSlashCap_ / 100, 1);
        nodeWithdrawalDelay = nodeWithdrawalDelay_;
    }

    /// @notice Adds the value to the caller's stake as a node, a hundredth of what a fault costs at least.
    function stakeNode() external payable {
        if (msg.value < nodeStakeStep) revert NodeStakesStepTooSmall(msg.value, nodeStakeStep);
        _setNodeStake(msg.sender, nodeStakeOf[msg.sender] + msg.value);
    }

    /// @notice Takes an amount out of the caller's stake at once, to be paid when two epochs are final in which all is
    /// settled that opened until now, or after the delay.
    /// @dev What the node did until now is judged in the first of them, and punished before the second is final. A second
    /// request adds to the first, and both start anew.
    /// @param amount In wei, at most the stake that counts: all of it, or a hundredth of what a fault costs at least.
    function requestNodeWithdrawal(uint256 amount) external {
        uint256 stake_ = nodeStakeOf[msg.sender];
        if (amount == 0 || amount > stake_) revert NodeStakesStakeTooSmall(msg.sender, amount, stake_);
        if (amount < nodeStakeStep && amount != stake_) revert NodeStakesStepTooSmall(amount, nodeStakeStep);
        _setNodeStake(msg.sender, stake_ - amount);
        NodeWithdrawal storage pending = pendingWithdrawalOf[msg.sender];
        pending.amount += amount;
        pending.requestedAt = uint64(block.timestamp);
        pending.availableAt = uint64(block.timestamp) + nodeWithdrawalDelay;
        pending.disputed = _disputed();
        emit NodeWithdrawalRequested(msg.sender, pending.amount, pending.requestedAt, pending.availableAt);
    }

    /// @notice Pays the caller's pending withdrawal to an address, once two epochs are final in which all is settled
    /// that opened until the request, or the delay has passed.
    /// @param to Who is paid.
    function withdrawNodeStake(address to) external {
        if (to == address(0)) revert NodeStakesReceiverMissing();
        NodeWithdrawal memory pending = pendingWithdrawalOf[msg.sender];
        if (pending.amount == 0) revert NodeStakesNoWithdrawal(msg.sender);
        bool judged = _secondSettled() > pending.requestedAt;
        uint64 availableAt = pending.availableAt + _disputed() - pending.disputed;
        if (!judged && block.timestamp < availableAt) {
            revert NodeStakesWithdrawalLocked(msg.sender, pending.requestedAt, availableAt);
        }
        delete pendingWithdrawalOf[msg.sender];
        emit NodeWithdrawn(msg.sender, to, pending.amount);
        _pay(to, pending.amount);
    }

    /// @notice Takes stake from a node whose proof k verifiers rejected, up to the cap for each proof, and holds it until
    /// the holders can have decided whose it is.
    /// @dev The stake goes first, then what is being withdrawn.
    /// @param message What was signed.
    /// @param signatures Of k verifiers or more, sorted by signer address.
    function slashNode(NodeFault calldata message, bytes[] calldata signatures) external {
        uint256 before = slashedFor[message.proof][message.node];
        _checkNodeFault(message.model, message.deadline, hashNodeFault(message), signatures);
        uint256 amount = _takeFromNode(message.node, nodeSlashCap - before);
        if (amount == 0) revert HeldMoneyNothingTaken(message.proof, message.node);
        slashedFor[message.proof][message.node] = before + amount;
        emit NodeSlashed(message.node, message.proof, amount);
        _hold(keccak256(abi.encode("proof", message.proof, before)), message.node, amount, _decisionTime(), false);
    }

    /// @notice The EIP-712 digest that verifiers sign.
    function hashNodeFault(NodeFault calldata message) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(NODE_FAULT_TYPEHASH, message)));
    }

    function _takeFromNode(address node, uint256 most) private returns (uint256 amount) {
        uint256 stake_ = nodeStakeOf[node];
        NodeWithdrawal storage pending = pendingWithdrawalOf[node];
        amount = Math.min(most, stake_ + pending.amount);
        uint256 fromStake = Math.min(amount, stake_);
        if (fromStake > 0) _setNodeStake(node, stake_ - fromStake);
        pending.amount -= amount - fromStake;
    }

    function _setNodeStake(address node, uint256 stake_) private {
        nodeStakeOf[node] = stake_;
        emit NodeStakeChanged(node, stake_);
    }

    /// @dev When the second to last of the final epochs closed, in Unix seconds; 0 where there are fewer.
    function _secondSettled() internal view virtual returns (uint64);

    /// @dev Reverts unless model and deadline hold and k staked verifiers signed the digest.
    function _checkNodeFault(bytes32 model_, uint64 deadline, bytes32 digest, bytes[] calldata signatures)
        internal
        view
        virtual;
}
