// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {EpochDistributor} from "commonweight/EpochDistributor.sol";
import {ModelGovernor} from "commonweight/ModelGovernor.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {ModelTimelock} from "commonweight/ModelTimelock.sol";
import {ModelToken} from "commonweight/ModelToken.sol";
import {Genesis} from "./Genesis.sol";

/// @title A second model, whose timelock has no power over the first
contract Neighbour is Genesis {
    constructor(ModelRegistry models_) {
        _deploy(models_, "Neighbour", 2);
    }
}

/// @title Random histories of votes and of attempts to go around them
contract GovernanceHandler is Genesis {
    struct Draft {
        string text;
        string value;
        address[] targets;
        uint256[] values;
        bytes[] calls;
    }

    struct Power {
        address target;
        bytes call;
        bytes4 refusal;
    }

    uint256 private constant VOTERS = 4;

    Neighbour public immutable neighbour;
    uint256 public decisions;
    string public value;
    uint256 private _drafts;
    Power[] private _powers;

    constructor() {
        _deploy(new ModelRegistry(), "Governed", 3);
        neighbour = new Neighbour(models);
        _mayMint(4_000);
        for (uint256 i = 0; i < VOTERS; ++i) token.mint(bytes32(i + 1), _voter(i), 1_000);
        _listPowers();
    }

    // ---- votes

    /// @notice A decision from proposal to execution; it passes if more hold for it than against it.
    function decide(uint256 seed) external {
        Draft memory draft = _draft(seed);
        _wait(1);
        vm.prank(_voter(seed));
        uint256 id = governor.propose(draft.targets, draft.values, draft.calls, draft.text);
        _wait(VOTING_DELAY + 1);
        uint256 support = 0;
        for (uint256 i = 0; i < VOTERS; ++i) {
            uint8 ballot = uint8((seed >> i) % 2);
            support += ballot;
            vm.prank(_voter(i));
            governor.castVote(id, ballot);
        }
        _wait(VOTING_PERIOD + 1);
        if (2 * support > VOTERS) _carryOut(draft);
        else _refuse(_voter(0), address(governor), 0, _queueCall(draft), IGovernor.GovernorUnexpectedProposalState.selector);
    }

    function wait(uint256 seed) external {
        _wait(_between(seed, 1, 2 days));
    }

    // ---- attacks

    function usePowerAsVoter(uint256 seed) external {
        usePower(_voter(seed), (seed >> 8) % _powers.length);
    }

    function usePowerAsNeighbour(uint256 seed) external {
        usePower(address(neighbour.timelock()), seed % _powers.length);
    }

    /// @notice Whoever it is, the call fails for lack of the power, not for another reason.
    function usePower(address sender, uint256 place) public {
        Power storage power = _powers[place];
        _refuse(sender, power.target, 0, power.call, power.refusal);
    }

    /// @notice What did not pass, or has not waited, or is done, is not carried out; nor is it by the timelock's open door.
    function executeUndecided(uint256 seed) external {
        Draft memory draft = _draft(seed);
        (bool unknown,) = address(governor).call(_executeCall(draft));
        vm.assertFalse(unknown, "not what nobody proposed");
        bytes memory direct = abi.encodeCall(
            timelock.execute, (draft.targets[0], 0, draft.calls[0], bytes32(0), bytes32(seed))
        );
        _refuse(_voter(seed), address(timelock), 0, direct, ModelTimelock.ModelTimelockClosed.selector);
        bytes32 salt = bytes20(address(governor)) ^ keccak256(bytes(draft.text));
        bytes memory batch =
            abi.encodeCall(timelock.executeBatch, (draft.targets, draft.values, draft.calls, bytes32(0), salt));
        _refuse(_voter(seed), address(timelock), 0, batch, ModelTimelock.ModelTimelockNotGovernor.selector);
    }

    // ---- what invariants ask

    function people() external view returns (address[] memory found) {
        found = new address[](VOTERS + seats.length + 1);
        for (uint256 i = 0; i < VOTERS; ++i) found[i] = _voter(i);
        for (uint256 i = 0; i < seats.length; ++i) found[VOTERS + i] = seats[i];
        found[VOTERS + seats.length] = DEPLOYER;
    }

    function powers() external view returns (uint256) {
        return _powers.length;
    }

    // ---- parts

    function _voter(uint256 seed) private pure returns (address) {
        return address(uint160(0xB0B0000 + seed % VOTERS));
    }

    function _draft(uint256 seed) private returns (Draft memory draft) {
        draft.text = string.concat("decision ", vm.toString(++_drafts));
        draft.value = vm.toString(seed % 1_000);
        draft.targets = new address[](1);
        draft.values = new uint256[](1);
        draft.calls = new bytes[](1);
        draft.targets[0] = address(models);
        draft.calls[0] =
            abi.encodeCall(models.decide, (model, keccak256(bytes(draft.text)), "lr", draft.value));
    }

    /// @dev Not before its delay, then once.
    function _carryOut(Draft memory draft) private {
        (bool queued,) = address(governor).call(_queueCall(draft));
        vm.assertTrue(queued, "what passed is queued");
        _wait(TIMELOCK_DELAY - 1);
        (bool early,) = address(governor).call(_executeCall(draft));
        vm.assertFalse(early, "not before its delay");
        _wait(1);
        (bool done,) = address(governor).call(_executeCall(draft));
        vm.assertTrue(done, "what has waited is carried out");
        (bool twice,) = address(governor).call(_executeCall(draft));
        vm.assertFalse(twice, "not twice");
        ++decisions;
        value = draft.value;
    }

    function _queueCall(Draft memory d) private view returns (bytes memory) {
        return abi.encodeCall(governor.queue, (d.targets, d.values, d.calls, keccak256(bytes(d.text))));
    }

    function _executeCall(Draft memory d) private view returns (bytes memory) {
        return abi.encodeCall(governor.execute, (d.targets, d.values, d.calls, keccak256(bytes(d.text))));
    }

    /// @dev One call for each power in the design's table, with the error that names the lack of it.
    function _listPowers() private {
        bytes4 noRole = IAccessControl.AccessControlUnauthorizedAccount.selector;
        bytes4 notTimelock = ModelRegistry.ModelRegistryNotTimelock.selector;
        bytes4 notExecutor = IGovernor.GovernorOnlyExecutor.selector;
        bytes4 closed = ModelTimelock.ModelTimelockClosed.selector;
        _power(address(token), abi.encodeCall(token.setBudget, (DEPLOYER, CAP)), noRole);
        _power(address(token), abi.encodeCall(token.setMintingPaused, (true)), noRole);
        _power(address(token), abi.encodeCall(token.grantRole, (bytes32(0), DEPLOYER)), noRole);
        _power(address(token), abi.encodeCall(token.mint, ("receipt", DEPLOYER, 1)), ModelToken.ModelTokenReserveExceeded.selector);
        bytes4 notRegistry = EpochDistributor.EpochDistributorNotRegistry.selector;
        _power(address(distributor), abi.encodeCall(distributor.reserve, (1)), notRegistry);
        _power(address(distributor), abi.encodeCall(distributor.release, (0)), notRegistry);
        _power(address(timelock), abi.encodeCall(timelock.grantRole, (bytes32(0), DEPLOYER)), noRole);
        _power(address(timelock), abi.encodeCall(timelock.schedule, (DEPLOYER, 0, "", 0, 0, TIMELOCK_DELAY)), closed);
        _power(address(timelock), _batch(), noRole);
        _power(address(timelock), abi.encodeCall(timelock.cancel, (bytes32(0))), noRole);
        bytes4 notItself = TimelockController.TimelockUnauthorizedCaller.selector;
        _power(address(timelock), abi.encodeCall(timelock.updateDelay, (0)), notItself);
        _power(address(governor), abi.encodeCall(governor.setVotingDelay, (9)), notExecutor);
        _power(address(governor), abi.encodeCall(governor.relay, (DEPLOYER, 0, "")), ModelGovernor.ModelGovernorRelayClosed.selector);
        _power(address(governor), abi.encodeCall(governor.updateTimelock, (timelock)), ModelGovernor.ModelGovernorTimelockFixed.selector);
        _power(address(registry), abi.encodeCall(registry.admit, (DEPLOYER)), noRole);
        _power(address(registry), abi.encodeCall(registry.remove, (seats[0])), noRole);
        _power(address(registry), abi.encodeCall(registry.setThreshold, (1)), noRole);
        _power(address(registry), abi.encodeCall(registry.setMaxEpochTotal, (CAP)), noRole);
        _power(address(registry), abi.encodeCall(registry.resolve, (1, "root", 1, true)), noRole);
        _power(address(registry), abi.encodeCall(registry.decideHeld, ("ground", DEPLOYER, true)), noRole);
        _power(address(registry), abi.encodeCall(registry.grantRole, (bytes32(0), DEPLOYER)), noRole);
        _power(address(pool), abi.encodeCall(pool.cancel, ()), noRole);
        _power(address(pool), abi.encodeCall(pool.pay, (DEPLOYER, 1)), noRole);
        _power(address(models), abi.encodeCall(models.decide, (model, "id", "lr", "9")), notTimelock);
        _power(address(models), abi.encodeCall(models.recordCheckpoint, (model, 1, "digest")), notTimelock);
        _power(address(models), abi.encodeCall(models.recordRelease, (model, "1.0", "digest", "MIT")), notTimelock);
    }

    function _batch() private view returns (bytes memory) {
        return abi.encodeCall(
            timelock.scheduleBatch, (new address[](0), new uint256[](0), new bytes[](0), 0, 0, TIMELOCK_DELAY)
        );
    }

    function _power(address target, bytes memory call, bytes4 refusal) private {
        _powers.push(Power(target, call, refusal));
    }
}
