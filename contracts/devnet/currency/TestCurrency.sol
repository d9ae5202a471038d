// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title Money for trying out funding rounds and revenue on the embedded chain, with permit; worth nothing
contract TestCurrency is ERC20Permit {
    /// @param supply Units, all of the deployer's.
    constructor(uint256 supply) ERC20("Test money", "TEST") ERC20Permit("Test money") {
        _mint(msg.sender, supply);
    }

    /// @notice Two digits, as most money has.
    function decimals() public pure override returns (uint8) {
        return 2;
    }
}
