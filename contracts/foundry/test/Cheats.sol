// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The cheat codes of forge that these tests use
/// @notice Written here because no package of forge-std that its authors publish is on npm.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function deal(address account, uint256 balance) external;
    function etch(address target, bytes calldata code) external;
    function warp(uint256 timestamp) external;
    function getNonce(address account) external view returns (uint64);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function getBlockTimestamp() external view returns (uint256);
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function assume(bool condition) external pure;
    function expectRevert(bytes calldata reason) external;
    function expectPartialRevert(bytes4 selector) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
    function toString(uint256 value) external pure returns (string memory);
    function assertTrue(bool condition, string calldata said) external pure;
    function assertFalse(bool condition, string calldata said) external pure;
    function assertEq(uint256 left, uint256 right, string calldata said) external pure;
    function assertEq(address left, address right, string calldata said) external pure;
    function assertEq(bytes32 left, bytes32 right, string calldata said) external pure;
    function assertEq(string calldata left, string calldata right, string calldata said) external pure;
    function assertLe(uint256 left, uint256 right, string calldata said) external pure;
    function assertGe(uint256 left, uint256 right, string calldata said) external pure;
}

/// @title What every test, handler and deployment here may use
abstract contract Cheats {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotRefused(address target, bytes4 expected, bytes answer);

    /// @dev A number from least to most, both included.
    function _between(uint256 seed, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + seed % (most - least + 1);
    }

    /// @dev The `nth` number that follows from a seed.
    function _derive(uint256 seed, uint256 nth) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, nth)));
    }

    function _now() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function _wait(uint256 seconds_) internal {
        vm.warp(_now() + seconds_);
    }

    function _sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Reverts unless the call fails with this error: a handler that may not revert notices what was let through.
    function _refuse(address sender, address target, uint256 value, bytes memory data, bytes4 expected) internal {
        vm.prank(sender);
        (bool done, bytes memory answer) = target.call{value: value}(data);
        if (done || bytes4(answer) != expected) revert NotRefused(target, expected, answer);
    }
}
