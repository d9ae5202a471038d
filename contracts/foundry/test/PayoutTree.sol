// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A Merkle tree of many leaves, laid out as @openzeppelin/merkle-tree does
library PayoutTree {
    /// @dev Node 0 is the root, the leaves stand at the end in descending order.
    function build(bytes32[] memory leaves) internal pure returns (bytes32[] memory tree) {
        bytes32[] memory sorted = _sort(leaves);
        tree = new bytes32[](2 * sorted.length - 1);
        for (uint256 i = 0; i < sorted.length; ++i) tree[tree.length - 1 - i] = sorted[i];
        for (uint256 i = sorted.length - 1; i > 0; --i) {
            tree[i - 1] = _pair(tree[2 * i - 1], tree[2 * i]);
        }
    }

    /// @dev The siblings from a leaf up to the root.
    function proofOf(bytes32[] memory tree, bytes32 leaf) internal pure returns (bytes32[] memory proof) {
        uint256 place = _placeOf(tree, leaf);
        uint256 depth = 0;
        for (uint256 i = place; i > 0; i = (i - 1) / 2) ++depth;
        proof = new bytes32[](depth);
        for (uint256 i = 0; i < depth; ++i) {
            proof[i] = tree[place % 2 == 1 ? place + 1 : place - 1];
            place = (place - 1) / 2;
        }
    }

    function _placeOf(bytes32[] memory tree, bytes32 leaf) private pure returns (uint256 place) {
        place = tree.length / 2;
        while (tree[place] != leaf) ++place;
    }

    function _sort(bytes32[] memory leaves) private pure returns (bytes32[] memory sorted) {
        sorted = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            uint256 j = i;
            for (; j > 0 && sorted[j - 1] > leaves[i]; --j) sorted[j] = sorted[j - 1];
            sorted[j] = leaves[i];
        }
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }
}
