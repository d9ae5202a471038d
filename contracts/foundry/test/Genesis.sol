// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {CapitalPool} from "commonweight/CapitalPool.sol";
import {EpochDistributor} from "commonweight/EpochDistributor.sol";
import {ModelGovernor} from "commonweight/ModelGovernor.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {ModelTimelock} from "commonweight/ModelTimelock.sol";
import {ModelToken} from "commonweight/ModelToken.sol";
import {RevenueSplitter} from "commonweight/RevenueSplitter.sol";
import {EpochRoots, IReserves} from "commonweight/EpochRoots.sol";
import {VerifierRegistry} from "commonweight/VerifierRegistry.sol";
import {Coin} from "../src/Coin.sol";
import {Cheats} from "./Cheats.sol";

/// @title Deploys a model as contracts/genesis/deploy.py does, and signs for its verifiers
abstract contract Genesis is Cheats {
    uint256 internal constant CAP = 25_000;
    /// @dev The distributor's; a test may give itself what neither it nor the pool has.
    uint256 internal constant BUDGET = 10_000;
    uint256 internal constant SPARE = CAP - BUDGET - HARD_CAP * 3 / 2;
    uint256 internal constant MAX_EPOCH_TOTAL = 3_000;
    uint256 internal constant MIN_STAKE = 10 ether;
    uint256 internal constant BOND = 1 ether;
    uint256 internal constant SLASH_CAP = 4 ether;
    uint256 internal constant NODE_SLASH_CAP = 3 ether;
    uint256 internal constant NODE_STEP = NODE_SLASH_CAP / 100;
    uint64 internal constant WINDOW = 1 hours;
    uint64 internal constant DISPUTE_LIMIT = 2 days;
    uint64 internal constant NODE_DELAY = 10 days;
    uint256 internal constant THRESHOLD = 2;
    uint48 internal constant VOTING_DELAY = 1 hours;
    uint32 internal constant VOTING_PERIOD = 1 days;
    uint256 internal constant TIMELOCK_DELAY = 1 hours;
    uint256 internal constant PROPOSAL_THRESHOLD = 100;
    uint256 internal constant QUORUM_FLOOR = 250;
    uint48 internal constant REVENUE_WINDOW = 1 hours;
    uint256 internal constant SOFT_CAP = 1_000;
    uint256 internal constant HARD_CAP = 2_000;
    uint64 internal constant POOL_TIME = 10 days;
    /// @dev Longer than a proposal can live: twice its delay, vote and timelock, and the time to be queued and executed.
    uint64 internal constant SETTLEMENT = 31 days;

    /// @dev Has every power at deployment and none afterwards.
    address internal constant DEPLOYER = address(0xD);

    ModelRegistry public models;
    ModelTimelock public timelock;
    ModelToken public token;
    ModelGovernor public governor;
    VerifierRegistry public registry;
    EpochDistributor public distributor;
    RevenueSplitter public splitter;
    CapitalPool public pool;
    Coin public coin;
    bytes32 public model;

    /// @dev Keys of the verifiers in the order of their addresses: signatures must be sorted so.
    uint256[] internal keys;
    /// @dev Their addresses, since making them from keys is what takes most time.
    address[] internal seats;

    function _deploy(ModelRegistry models_, string memory name, uint256 verifierCount) internal {
        models = models_;
        model = models.modelId(DEPLOYER, name);
        _makeKeys(verifierCount);
        address[] memory executors = new address[](1);
        timelock = new ModelTimelock(TIMELOCK_DELAY, new address[](0), executors, DEPLOYER);
        token = new ModelToken(name, "SHARE", CAP, DEPLOYER, address(timelock));
        governor = new ModelGovernor(
            name, IVotes(address(token)), timelock, VOTING_DELAY, VOTING_PERIOD, PROPOSAL_THRESHOLD, 4, QUORUM_FLOOR, 0
        );
        IReserves next = IReserves(vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1));
        registry = new VerifierRegistry(address(timelock), model, next, seats, _rules());
        distributor = new EpochDistributor(token, registry);
        splitter = new RevenueSplitter(token, REVENUE_WINDOW);
        coin = new Coin();
        pool = new CapitalPool(token, address(timelock), _terms());
        _handOver(name);
    }

    function _terms() private view returns (CapitalPool.Terms memory) {
        return CapitalPool.Terms({
            currency: coin,
            softCap: SOFT_CAP,
            hardCap: HARD_CAP,
            deadline: uint64(_now() + POOL_TIME),
            tokenUnits: 3,
            paidUnits: 2,
            settlement: SETTLEMENT
        });
    }

    function _rules() private pure returns (VerifierRegistry.Rules memory) {
        return VerifierRegistry.Rules({
            threshold: THRESHOLD,
            minStake: MIN_STAKE,
            challengeWindow: WINDOW,
            disputeLimit: DISPUTE_LIMIT,
            bond: BOND,
            slashCap: SLASH_CAP,
            maxEpochTotal: MAX_EPOCH_TOTAL,
            nodeSlashCap: NODE_SLASH_CAP,
            nodeWithdrawalDelay: NODE_DELAY,
            voteFloor: QUORUM_FLOOR
        });
    }

    function _handOver(string memory name) private {
        vm.startPrank(DEPLOYER);
        token.setBudget(address(distributor), BUDGET);
        token.setBudget(address(pool), pool.tokensFor(HARD_CAP));
        timelock.grantRole(timelock.PROPOSER_ROLE(), address(governor));
        timelock.grantRole(timelock.CANCELLER_ROLE(), address(governor));
        token.grantRole(bytes32(0), address(timelock));
        token.renounceRole(bytes32(0), DEPLOYER);
        timelock.renounceRole(bytes32(0), DEPLOYER);
        models.register(
            ModelRegistry.Model({
                name: name,
                token: address(token),
                timelock: address(timelock),
                governor: address(governor),
                verifierRegistry: address(registry),
                distributor: address(distributor),
                splitter: address(splitter),
                pool: address(pool)
            })
        );
        vm.stopPrank();
    }

    /// @dev This contract is a minter too, as the holders may decide, and owes all that it may mint.
    function _mayMint(uint256 budget) internal {
        vm.prank(address(timelock));
        token.setBudget(address(this), budget);
        token.reserve(budget);
    }

    /// @dev The holders decide the dispute that is open.
    function _resolve(uint64 epoch, bool upheld) internal {
        EpochRoots.Epoch memory disputed = registry.epochOf(epoch);
        vm.prank(address(timelock));
        registry.resolve(epoch, disputed.root, disputed.challengedAt, upheld);
    }

    function _deposit(address who, uint256 amount) internal {
        coin.print(who, amount);
        vm.prank(who);
        coin.approve(address(pool), amount);
        vm.prank(who);
        pool.deposit(amount);
    }

    /// @dev The verifiers stake the least that counts.
    function _stakeAll() internal {
        for (uint256 i = 0; i < seats.length; ++i) _stake(seats[i], MIN_STAKE);
    }

    function _stake(address verifier, uint256 amount) internal {
        vm.deal(verifier, verifier.balance + amount);
        vm.prank(verifier);
        registry.stake{value: amount}();
    }

    function _makeKeys(uint256 count) private {
        for (uint256 i = 0; i < count; ++i) {
            uint256 key = _derive(uint256(keccak256("verifier")), i) >> 8;
            address seat = vm.addr(key);
            uint256 j = keys.length;
            keys.push(key);
            seats.push(seat);
            for (; j > 0 && seats[j - 1] > seat; --j) (keys[j], seats[j]) = (keys[j - 1], seats[j - 1]);
            (keys[j], seats[j]) = (key, seat);
        }
    }

    /// @dev Signatures of these verifiers (places in `keys`, ascending) under a digest.
    function _signatures(bytes32 digest, uint256[] memory places) internal view returns (bytes[] memory made) {
        made = new bytes[](places.length);
        for (uint256 i = 0; i < places.length; ++i) made[i] = _sign(keys[places[i]], digest);
    }

    /// @dev The first verifiers' signatures, as many as are needed.
    function _quorum(bytes32 digest) internal view returns (bytes[] memory) {
        uint256[] memory places = new uint256[](THRESHOLD);
        for (uint256 i = 0; i < places.length; ++i) places[i] = i;
        return _signatures(digest, places);
    }

    /// @dev EIP-712 digest under the domain of one of the model's contracts, computed here once more.
    function _typedDigest(address verifyingContract, bytes32 content) internal view returns (bytes32) {
        return _typedDigest(verifyingContract, "Commonweight", content);
    }

    function _typedDigest(address verifyingContract, string memory name, bytes32 content)
        internal
        view
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                verifyingContract
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, content));
    }

    /// @dev What a challenge costs after so many that failed or lapsed.
    function _bondAfter(uint256 fruitless) internal pure returns (uint256) {
        return BOND << (fruitless < 8 ? fruitless : 8);
    }

    /// @dev The next root that the registry would take.
    function _message(bytes32 root, uint256 total, uint64 count)
        internal
        view
        returns (EpochRoots.EpochRoot memory)
    {
        uint64 epoch = registry.finalizedEpochs() + 1;
        return EpochRoots.EpochRoot({
            model: model,
            epoch: epoch,
            attempt: registry.epochOf(epoch).attempt,
            root: root,
            total: total,
            count: count,
            logSize: epoch * 10,
            logRoot: keccak256(abi.encode("log", epoch)),
            settledAt: uint64(_now()),
            deadline: uint64(_now() + 1 hours)
        });
    }
}
