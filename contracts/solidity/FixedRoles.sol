// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

/// @title Roles that one account alone can hold after genesis: the timelock
/// @notice A vote acts for as long as its operation lives. A role that it gave to a key would act for ever, without votes
/// and delays; so no vote can give one, nor take the timelock's, which would leave nobody.
abstract contract FixedRoles is AccessControl {
    error FixedRolesRoleFixed(bytes32 role, address account);

    /// @dev Who alone may be given roles once the constructor is done.
    function _roleHolder() internal view virtual returns (address);

    /// @dev A contract has no code while it is constructed.
    function _grantRole(bytes32 role, address account) internal virtual override returns (bool) {
        if (address(this).code.length > 0 && account != _roleHolder()) revert FixedRolesRoleFixed(role, account);
        return super._grantRole(role, account);
    }

    function _revokeRole(bytes32 role, address account) internal virtual override returns (bool) {
        if (account == _roleHolder()) revert FixedRolesRoleFixed(role, account);
        return super._revokeRole(role, account);
    }
}
