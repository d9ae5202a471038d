// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {ModelGovernor} from "commonweight/ModelGovernor.sol";
import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {EpochDistributor} from "commonweight/EpochDistributor.sol";
import {EpochRoots} from "commonweight/EpochRoots.sol";
import {MerkleDistributor} from "../src/MerkleDistributor.sol";
import {PlainGovernor, PlainVotes} from "../src/PlainVotes.sol";
import {Genesis} from "./Genesis.sol";

/// @title Gas of what people pay for, beside what others' contracts take on the same EVM
/// @notice Each measured call is a transaction of its own, with its 21,000, its calldata and cold storage. docs/gas.md
/// holds the numbers, tests/foundry compares.
/// forge-config: default.isolate = true
contract GasTest is Genesis {
    uint256 private constant VOTERS = 50;
    uint256 private constant VOTER_KEY = 0xF07E5;
    uint256 private constant DEPTH = 20;
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);

    /// @dev Their leaves are not among the first 160 of an epoch.
    address private constant CAROL = address(uint160(251 * 4096 + 200));
    address private constant DAVE = address(uint160(251 * 4096 + 201));

    bytes32[] private _proof;
    /// @dev Whose leaf was paid before.
    address private _beside = address(this);

    function setUp() external {
        _deploy(new ModelRegistry(), "Gas", 7);
        _stakeAll();
        _mayMint(SPARE);
        token.mint("before", address(this), 1_000);
        for (uint256 i = 0; i < DEPTH; ++i) _proof.push(keccak256(abi.encode("sibling", i)));
    }

    // ---- claims: a tree of 2^20 leaves, so a proof of 20; the neighbour's leaf is paid already

    function test_gas_claims() external {
        _finalizeFor(ALICE);
        _claim(ALICE);
        _note("claim", "first of an account, which delegates to itself");
        _finalizeFor(ALICE);
        _claim(ALICE);
        _note("claim", "later");
        _finalizeFor(BOB);
        vm.prank(BOB);
        token.delegate(ALICE);
        _claim(BOB);
        _note("claim", "first of an account that delegated before");
    }

    /// @notice Bits of the first 160 leaves lie in the slot of what the epoch paid, those of others in slots of their own.
    function test_gas_claims_of_a_long_epoch() external {
        _beside = DAVE;
        _finalizeFor(CAROL);
        _claim(CAROL);
        _finalizeFor(CAROL);
        _claim(CAROL);
        _note("claim", "later, of a line after the 160th");
    }

    /// @notice Ten epochs of one account, of each of which another leaf was paid before.
    function test_gas_claims_of_many_epochs() external {
        _finalizeFor(ALICE);
        _claim(ALICE);
        vm.prank(address(timelock));
        token.setBudget(address(pool), 0);
        vm.prank(address(timelock));
        token.setBudget(address(distributor), CAP);
        uint256 count = 10;
        for (uint256 i = 0; i < count; ++i) _finalizeFor(ALICE);
        distributor.claimMany(_linesSince(2, count));
        uint256 gas = vm.snapshotGasLastCall("batches", "claimMany of 10 epochs");
        vm.snapshotValue("claim", "claimMany of 10 epochs, each", gas / count);
    }

    /// @notice One line by itself, and one that somebody paid before.
    function test_gas_claims_of_one_by_many() external {
        _finalizeFor(ALICE);
        _claim(ALICE);
        _finalizeFor(ALICE);
        distributor.claimMany(_linesSince(2, 1));
        _note("claim", "claimMany of 1, later");
        distributor.claimMany(_linesSince(2, 1));
        _note("claim", "claimMany of 1 that was paid before");
    }

    function _linesSince(uint64 first, uint256 count) private view returns (EpochDistributor.Line[] memory lines) {
        lines = new EpochDistributor.Line[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint64 epoch = first + uint64(i);
            bytes32[] memory proof = _proofBeside(_leaf(epoch, _beside));
            lines[i] = EpochDistributor.Line(epoch, _index(ALICE), ALICE, 0, 100, proof);
        }
    }

    function test_gas_claims_of_others() external {
        PlainVotes votes = new PlainVotes();
        votes.mint(address(this), 1_000);
        _claimFromOthers(votes, "first");
        vm.prank(ALICE);
        votes.delegate(ALICE);
        _note("claim", "ERC20Votes: delegate to oneself, a transaction of its own");
        _wait(1);
        _claimFromOthers(votes, "later");
    }

    function _claimFromOthers(PlainVotes votes, string memory name) private {
        bytes32[] memory proof = _proofBeside(_theirLeaf(BOB));
        bytes32 root = _root(_theirLeaf(ALICE), _theirLeaf(BOB));
        MerkleDistributor coins = new MerkleDistributor(coin, root);
        MerkleDistributor shares = new MerkleDistributor(votes, root);
        coin.print(address(coins), 1_000);
        votes.mint(address(shares), 1_000);
        coins.claim(_index(BOB), BOB, 100, _proofBeside(_theirLeaf(ALICE)));
        shares.claim(_index(BOB), BOB, 100, _proofBeside(_theirLeaf(ALICE)));
        coins.claim(_index(ALICE), ALICE, 100, proof);
        _note("claim", string.concat("merkle-distributor, plain ERC20, ", name));
        shares.claim(_index(ALICE), ALICE, 100, proof);
        _note("claim", string.concat("merkle-distributor, ERC20Votes, ", name));
    }

    // ---- votes

    function test_gas_votes() external {
        (uint256 id, ModelGovernor.Ballot[] memory ballots) = _election();
        vm.prank(_voter(0));
        governor.castVote(id, 1);
        _note("vote", "castVote by the holder");
        governor.castVoteBySig(id, 1, ballots[1].voter, ballots[1].signature);
        _note("vote", "castVoteBySig, one transaction each");
        governor.relayVotes(_some(ballots, 2, 1));
        _note("vote", "relayVotes of 1");
    }

    function test_gas_batched_votes_10() external {
        _batch(10, "relayVotes of 10, each vote");
    }

    function test_gas_batched_votes_50() external {
        _batch(50, "relayVotes of 50, each vote");
    }

    function test_gas_votes_of_others() external {
        PlainVotes votes = new PlainVotes();
        for (uint256 i = 0; i < 4; ++i) {
            votes.mint(_voter(i), 10);
            vm.prank(_voter(i));
            votes.delegate(_voter(i));
        }
        PlainGovernor plain = new PlainGovernor(IVotes(address(votes)));
        _wait(1);
        uint256 id = _propose(address(plain));
        vm.prank(_voter(0));
        plain.castVote(id, 1);
        vm.prank(_voter(1));
        plain.castVote(id, 1);
        _note("vote", "plain Governor and ERC20Votes, castVote by the holder");
        bytes memory signature = _ballot(address(plain), "Plain", id, 2, 0);
        plain.castVoteBySig(id, 1, _voter(2), signature);
        _note("vote", "plain Governor and ERC20Votes, castVoteBySig");
    }

    // ---- roots

    function test_gas_roots() external {
        _finalizeFor(ALICE);
        _rootWith(2, "propose, 2 signatures");
        vm.deal(ALICE, BOND);
        vm.prank(ALICE);
        registry.challenge{value: BOND}(2);
        _note("root", "challenge");
        EpochRoots.Epoch memory disputed = registry.epochOf(2);
        vm.prank(address(timelock));
        registry.resolve(2, disputed.root, disputed.challengedAt, false);
        _note("root", "resolve, challenge failed, 2 signers");
        _wait(WINDOW);
        registry.finalize(2);
        _note("root", "finalize");
        _rootWith(7, "propose, 7 signatures");
    }

    // ---- money

    function test_gas_funds() external {
        token.mint("one", ALICE, 100);
        _wait(REVENUE_WINDOW + 1);
        coin.print(address(this), 10_000);
        coin.approve(address(splitter), 10_000);
        splitter.distribute(coin, 5_000);
        _note("funds", "RevenueSplitter.distribute, first of a currency");
        splitter.distribute(coin, 5_000);
        _note("funds", "RevenueSplitter.distribute, later");
        splitter.release(1, ALICE);
        _note("funds", "RevenueSplitter.release");
        coin.print(ALICE, HARD_CAP);
        vm.prank(ALICE);
        coin.approve(address(pool), HARD_CAP);
        vm.prank(ALICE);
        pool.deposit(HARD_CAP);
        _note("funds", "CapitalPool.deposit");
        vm.warp(pool.releaseAt());
        pool.claim(ALICE);
        _note("funds", "CapitalPool.claim");
    }

    // ---- parts

    function _note(string memory group, string memory name) private {
        vm.snapshotGasLastCall(group, name);
    }

    function _index(address account) private pure returns (uint256) {
        return uint160(account) % 251;
    }

    function _theirLeaf(address account) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(_index(account), account, uint256(100)));
    }

    function _leaf(uint64 epoch, address account) private view returns (bytes32) {
        return distributor.leafOf(epoch, _index(account), account, 0, 100);
    }

    /// @dev The root of a tree of which only one path is known: that is all that a claim reads.
    function _root(bytes32 leaf, bytes32 beside) private view returns (bytes32 node) {
        node = Hashes.commutativeKeccak256(leaf, beside);
        for (uint256 i = 1; i < DEPTH; ++i) node = Hashes.commutativeKeccak256(node, _proof[i]);
    }

    function _proofBeside(bytes32 sibling) private view returns (bytes32[] memory proof) {
        proof = _proof;
        proof[0] = sibling;
    }

    /// @dev The next epoch is final; a leaf beside the account's has been paid.
    function _finalizeFor(address account) private {
        uint64 epoch = registry.finalizedEpochs() + 1;
        EpochRoots.EpochRoot memory message =
            _message(_root(_leaf(epoch, account), _leaf(epoch, _beside)), 1_000, 2);
        registry.propose(message, _quorum(registry.hashEpochRoot(message)));
        _wait(WINDOW);
        registry.finalize(epoch);
        distributor.claim(epoch, _index(_beside), _beside, 0, 100, _proofBeside(_leaf(epoch, account)));
        _wait(1);
    }

    function _claim(address account) private {
        uint64 epoch = registry.finalizedEpochs();
        bytes32[] memory proof = _proofBeside(_leaf(epoch, _beside));
        distributor.claim(epoch, _index(account), account, 0, 100, proof);
    }

    function _rootWith(uint256 signers, string memory name) private {
        EpochRoots.EpochRoot memory message = _message(keccak256("root"), 1_000, 1);
        uint256[] memory places = new uint256[](signers);
        for (uint256 i = 0; i < signers; ++i) places[i] = i;
        bytes[] memory signatures = _signatures(registry.hashEpochRoot(message), places);
        registry.propose(message, signatures);
        _note("root", name);
    }

    function _voter(uint256 place) private pure returns (address) {
        return vm.addr(VOTER_KEY + place);
    }

    /// @dev One vote is in, so that no measured vote is the first to write the tally or the one that reaches the quorum.
    function _election() private returns (uint256 id, ModelGovernor.Ballot[] memory ballots) {
        for (uint256 i = 0; i < VOTERS; ++i) token.mint(bytes32(i), _voter(i), 100);
        token.mint("quorum", _voter(VOTERS), 1_000);
        _wait(1);
        id = _propose(address(governor));
        vm.prank(_voter(VOTERS));
        governor.castVote(id, 1);
        ballots = new ModelGovernor.Ballot[](VOTERS);
        for (uint256 i = 0; i < VOTERS; ++i) {
            ballots[i] = ModelGovernor.Ballot(id, 1, _voter(i), _ballot(address(governor), "Gas", id, i, id));
        }
    }

    function _propose(address to) private returns (uint256 id) {
        bytes[] memory calls = new bytes[](1);
        vm.prank(_voter(0));
        id = ModelGovernor(payable(to)).propose(new address[](1), new uint256[](1), calls, "gas");
        _wait(VOTING_DELAY + 1);
    }

    function _batch(uint256 count, string memory name) private {
        (, ModelGovernor.Ballot[] memory ballots) = _election();
        governor.relayVotes(_some(ballots, 0, count));
        uint256 gas = vm.snapshotGasLastCall("batches", name);
        vm.snapshotValue("vote", name, gas / count);
    }

    function _some(ModelGovernor.Ballot[] memory from, uint256 first, uint256 count)
        private
        pure
        returns (ModelGovernor.Ballot[] memory some)
    {
        some = new ModelGovernor.Ballot[](count);
        for (uint256 i = 0; i < count; ++i) some[i] = from[first + i];
    }

    /// @dev The keyed nonce of a ballot on our governor follows from the proposal; a plain one counts from 0.
    function _ballot(address to, string memory name, uint256 id, uint256 place, uint256 key)
        private
        view
        returns (bytes memory)
    {
        bytes32 content = keccak256(
            abi.encode(ModelGovernor(payable(to)).BALLOT_TYPEHASH(), id, 1, _voter(place), uint256(uint192(key)) << 64)
        );
        return _sign(VOTER_KEY + place, _typedDigest(to, name, content));
    }
}
