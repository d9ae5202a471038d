// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ModelRegistry} from "commonweight/ModelRegistry.sol";
import {HeldMoney} from "commonweight/HeldMoney.sol";
import {NodeStakes} from "commonweight/NodeStakes.sol";
import {EpochRoots} from "commonweight/EpochRoots.sol";
import {PullPayments} from "commonweight/PullPayments.sol";
import {VerifierSet} from "commonweight/VerifierSet.sol";
import {Genesis} from "./Genesis.sol";

/// @title Takes coins only while it is willing to
contract Stubborn {
    bool public willing;

    error Unwilling();

    receive() external payable {
        if (!willing) revert Unwilling();
    }

    function setWilling(bool willing_) external {
        willing = willing_;
    }
}

/// @title Random histories of stakes, bonds, slashes and withdrawals, beside a second account of every wei
contract StakesHandler is Genesis {
    uint256 private constant PEOPLE = 5;

    Stubborn public immutable stubborn = new Stubborn();

    /// @dev What each account should have in the registry, by the rules alone.
    mapping(address account => uint256) public stakeOf;
    mapping(address account => uint256) public nodeStakeOf;
    mapping(address account => uint256) public withdrawingOf;
    mapping(address account => uint256) public owedTo;
    mapping(address account => uint256) public requestedAt;
    mapping(address account => uint256) public availableAt;
    mapping(address account => uint256) public removedAt;
    uint256 public openBonds;
    /// @dev What nobody should have any more.
    uint256 public forfeited;
    uint256 public slashes;
    /// @dev What waits for the holders, place by place.
    bytes32[] private _grounds;
    mapping(bytes32 ground => address) private _heldOf;
    mapping(bytes32 ground => uint256) private _amounts;
    mapping(bytes32 ground => uint256) private _freeAt;
    mapping(bytes32 ground => bool) private _isAccounts;
    uint256 public heldInAll;
    uint256 private _votesSince;
    uint256 private _fruitlessAt;
    uint256 private _disputed;
    uint256 private _disputedSince;
    uint256 private _disputedAtFruitless;
    mapping(address account => uint256) private _disputedAt;
    uint256 private _minted;

    uint256 private _cases;
    /// @dev The epoch that is open.
    address private _challenger;
    bool private _early;
    address[] private _signers;
    uint256 private _closesAt;
    /// @dev When the open epoch and those that are final closed.
    uint64 private _settledAt;
    uint64[] private _settled;
    uint256 private _lapsesAt;
    uint256 private _bond;
    uint256 public fruitless;
    uint32 public disputes;

    constructor() {
        _deploy(new ModelRegistry(), "Staked", 5);
        _stakeAll();
        for (uint256 i = 0; i < keys.length; ++i) stakeOf[seats[i]] = MIN_STAKE;
        _mayMint(2 * QUORUM_FLOOR);
    }

    /// @notice Votes come to exist by and by.
    function mint(uint256 seed) external {
        uint256 amount = _between(seed, 0, QUORUM_FLOOR / 2);
        if (_minted + amount > 2 * QUORUM_FLOOR) return;
        token.mint(bytes32(++_cases), _person(seed), amount);
        _minted += amount;
    }

    // ---- verifiers

    function stake(uint256 seed) external {
        address verifier = _verifier(seed);
        if (!registry.isVerifier(verifier)) return;
        uint256 amount = _between(seed >> 8, 0, 2 * MIN_STAKE);
        _stake(verifier, amount);
        stakeOf[verifier] += amount;
    }

    function remove(uint256 seed) external {
        address verifier = _verifier(seed);
        if (!registry.isVerifier(verifier) || registry.verifiers().length <= THRESHOLD + 1) return;
        vm.prank(address(timelock));
        registry.remove(verifier);
        (removedAt[verifier], _disputedAt[verifier]) = (_now(), _disputedNow());
    }

    /// @notice Who gives up its seat waits as one that was removed.
    function resign(uint256 seed) external {
        address verifier = _verifier(seed);
        if (!registry.isVerifier(verifier)) {
            bytes memory call = abi.encodeCall(registry.resign, ());
            return _refuse(verifier, address(registry), 0, call, VerifierSet.VerifierSetNotVerifier.selector);
        }
        if (registry.verifiers().length <= THRESHOLD) return;
        vm.prank(verifier);
        registry.resign();
        (removedAt[verifier], _disputedAt[verifier]) = (_now(), _disputedNow());
    }

    function admit(uint256 seed) external {
        address verifier = _verifier(seed);
        if (registry.isVerifier(verifier)) return;
        vm.prank(address(timelock));
        registry.admit(verifier);
    }

    /// @notice Who was removed before all that two final epochs settled, or long ago, and signed no open root, gets its
    /// stake, once; anybody else nothing.
    function unstake(uint256 seed) external {
        address verifier = _verifier(seed);
        uint256 removed = removedAt[verifier];
        bytes memory call = abi.encodeCall(registry.unstake, ());
        bool seated = registry.isVerifier(verifier);
        if (!seated) _toTheEdge(seed, removed + NODE_DELAY);
        uint256 free = removed + NODE_DELAY + _disputedNow() - _disputedAt[verifier];
        bool early = _now() < free && _closedSince(removed) < 2;
        if (seated || early || _signed(verifier)) {
            _refuse(verifier, address(registry), 0, call, VerifierSet.VerifierSetStakeLocked.selector);
            if (seated || _signed(verifier) || seed % 4 > 0 || _disputedSince > 0) return;
            vm.warp(free);
        }
        _receives(verifier, stakeOf[verifier], call);
        stakeOf[verifier] = 0;
    }

    /// @dev Now and then time passes to a second at which a shorter rule would let go.
    function _toTheEdge(uint256 seed, uint256 time) private {
        if (seed % 2 == 0 && _now() < time) vm.warp(time);
    }

    // ---- roots

    function propose(uint256 seed) external {
        uint64 epoch = registry.finalizedEpochs() + 1;
        (bytes32 none, uint256[] memory places) = (bytes32(seed), _eligible(address(0)));
        if (registry.epochOf(epoch).status != EpochRoots.Status.None || places.length < THRESHOLD) return;
        EpochRoots.EpochRoot memory message = _message(none, 1, 1);
        uint256 age = _between(seed >> 128, 0, 4 * WINDOW);
        message.settledAt = _settledAt = age < _now() ? uint64(_now() - age) : 0;
        registry.propose(message, _signatures(registry.hashEpochRoot(message), places));
        _closesAt = _now() + WINDOW;
        for (uint256 i = 0; i < places.length; ++i) _signers.push(seats[places[i]]);
    }

    function challenge(uint256 seed) external {
        uint64 epoch = registry.finalizedEpochs() + 1;
        if (registry.epochOf(epoch).status != EpochRoots.Status.Proposed || _now() >= _closesAt) return;
        (_challenger, _bond) = (_person(seed), nextBond());
        vm.deal(_challenger, _bond);
        vm.prank(_challenger);
        registry.challenge{value: _bond}(epoch);
        openBonds += _bond;
        _lapsesAt = _now() + DISPUTE_LIMIT;
        if (_votesSince == 0 && _minted >= QUORUM_FLOOR) _votesSince = _now();
        (_early, _disputedSince) = (_votesSince == 0, _now());
        ++disputes;
    }

    function resolve(bool upheld) external {
        uint64 epoch = registry.finalizedEpochs() + 1;
        if (registry.epochOf(epoch).status != EpochRoots.Status.Disputed) return;
        uint256 before = _coinsOfSigners();
        _resolve(epoch, upheld);
        openBonds -= _bond;
        _endDispute(!upheld);
        if (upheld) {
            for (uint256 i = 0; i < _signers.length; ++i) forfeited += _slash(_signers[i], SLASH_CAP);
            _paid(_challenger, _bond);
            delete _signers;
        } else {
            // the bond is shared by those who signed the root
            forfeited += _bond % _signers.length;
            vm.assertEq(_coinsOfSigners() - before, _bond - _bond % _signers.length, "the signers have the bond");
            _closesAt = _now() + WINDOW;
        }
    }

    /// @notice Nobody decided: the timelock has the bond, or it waits for its challenger where nobody could; nobody is
    /// slashed, and the root is gone.
    function lapse(uint256 seed) external {
        uint64 epoch = registry.finalizedEpochs() + 1;
        if (registry.epochOf(epoch).status != EpochRoots.Status.Disputed) return;
        if (_now() < _lapsesAt) {
            bytes memory early = abi.encodeCall(registry.lapse, (epoch));
            _refuse(_person(seed), address(registry), 0, early, EpochRoots.EpochRootsDisputeOpen.selector);
            if (seed % 4 > 0) return;
            vm.warp(_lapsesAt);
        }
        vm.prank(_person(seed));
        registry.lapse(epoch);
        openBonds -= _bond;
        if (_early) _hold(registry.groundOf(epoch, disputes), _challenger, _bond, NODE_DELAY, true);
        else forfeited += _bond;
        _endDispute(true);
        delete _signers;
    }

    function finalize(uint256 seed) external {
        uint64 epoch = registry.finalizedEpochs() + 1;
        if (registry.epochOf(epoch).status != EpochRoots.Status.Proposed) return;
        if (_now() < _closesAt) vm.warp(_between(seed, _closesAt, _closesAt + 1 hours));
        registry.finalize(epoch);
        disputes = 0;
        delete _signers;
        _settled.push(_settledAt);
    }

    // ---- faults

    /// @notice Up to the cap on one evidence, and never on the word of the accused.
    function punish(uint256 seed) external {
        address accused = _verifier(seed);
        uint256[] memory places = _eligible(accused);
        if (places.length < THRESHOLD) return;
        VerifierSet.VerifierFault memory fault =
            VerifierSet.VerifierFault(model, accused, bytes32(++_cases), uint64(_now()));
        bytes[] memory signatures = _signatures(registry.hashVerifierFault(fault), places);
        bytes memory again = abi.encodeCall(registry.punish, (fault, signatures));
        uint256 left = SLASH_CAP;
        for (; stakeOf[accused] > 0 && left > 0; _stakeMore(accused, seed >> 16)) {
            registry.punish(fault, signatures);
            uint256 amount = _slash(accused, left);
            bytes32 ground = keccak256(abi.encode("fault", fault.evidence, SLASH_CAP - left));
            _hold(ground, accused, amount, DISPUTE_LIMIT, false);
            left -= amount;
        }
        if (left > 0 && stakeOf[accused] > 0) return;
        _refuse(accused, address(registry), 0, again, HeldMoney.HeldMoneyNothingTaken.selector);
    }

    /// @dev Now and then somebody whose stake was taken stakes again, so that the rest can be taken as well.
    function _stakeMore(address verifier, uint256 seed) private {
        if (seed % 2 > 0 || !registry.isVerifier(verifier)) return;
        uint256 amount = _between(seed, SLASH_CAP / 4, SLASH_CAP);
        _stake(verifier, amount);
        stakeOf[verifier] += amount;
    }

    function punishByItself(uint256 seed) external {
        uint256[] memory places = _eligible(address(0));
        if (places.length < THRESHOLD) return;
        address accused = seats[places[seed % places.length]];
        VerifierSet.VerifierFault memory fault =
            VerifierSet.VerifierFault(model, accused, bytes32(++_cases), uint64(_now()));
        bytes memory call =
            abi.encodeCall(registry.punish, (fault, _signatures(registry.hashVerifierFault(fault), places)));
        _refuse(accused, address(registry), 0, call, VerifierSet.VerifierSetOwnCase.selector);
    }

    // ---- nodes

    function stakeNode(uint256 seed) external {
        address node = _person(seed);
        uint256 amount = _between(seed >> 8, 0, 3 * NODE_SLASH_CAP);
        vm.deal(node, amount);
        bytes memory call = abi.encodeCall(registry.stakeNode, ());
        if (amount < NODE_STEP) {
            return _refuse(node, address(registry), amount, call, NodeStakes.NodeStakesStepTooSmall.selector);
        }
        vm.prank(node);
        registry.stakeNode{value: amount}();
        nodeStakeOf[node] += amount;
    }

    function requestNodeWithdrawal(uint256 seed) external {
        address node = _person(seed);
        if (nodeStakeOf[node] == 0) return;
        uint256 amount = _between(seed >> 8, 1, nodeStakeOf[node]);
        if (amount < NODE_STEP && amount != nodeStakeOf[node]) {
            bytes memory call = abi.encodeCall(registry.requestNodeWithdrawal, (amount));
            return _refuse(node, address(registry), 0, call, NodeStakes.NodeStakesStepTooSmall.selector);
        }
        vm.prank(node);
        registry.requestNodeWithdrawal(amount);
        nodeStakeOf[node] -= amount;
        withdrawingOf[node] += amount;
        (requestedAt[node], availableAt[node], _disputedAt[node]) = (_now(), _now() + NODE_DELAY, _disputedNow());
    }

    /// @notice Paid once, and only when two final epochs settled more than the request's time, or after the delay.
    function withdrawNodeStake(uint256 seed) external {
        address node = _person(seed);
        if (withdrawingOf[node] == 0) return;
        bytes memory call = abi.encodeCall(registry.withdrawNodeStake, (node));
        if (node == address(stubborn)) stubborn.setWilling(true);
        bytes memory nowhere = abi.encodeCall(registry.withdrawNodeStake, (address(0)));
        _refuse(node, address(registry), 0, nowhere, NodeStakes.NodeStakesReceiverMissing.selector);
        _toTheEdge(seed, availableAt[node]);
        uint256 free = availableAt[node] + _disputedNow() - _disputedAt[node];
        if (_now() < free && _closedSince(requestedAt[node]) < 2) {
            _refuse(node, address(registry), 0, call, NodeStakes.NodeStakesWithdrawalLocked.selector);
            if (seed % 4 > 0 || _disputedSince > 0) return;
            vm.warp(free);
        }
        _receives(node, withdrawingOf[node], call);
        withdrawingOf[node] = 0;
        (requestedAt[node], availableAt[node]) = (0, 0);
        _refuse(node, address(registry), 0, call, NodeStakes.NodeStakesNoWithdrawal.selector);
    }

    function slashNode(uint256 seed) external {
        address node = _person(seed);
        uint256[] memory places = _eligible(address(0));
        if (places.length < THRESHOLD) return;
        uint64 deadline = uint64(_now() + DISPUTE_LIMIT);
        NodeStakes.NodeFault memory fault = NodeStakes.NodeFault(model, node, bytes32(++_cases), deadline);
        bytes[] memory signatures = _signatures(registry.hashNodeFault(fault), places);
        uint256 has = nodeStakeOf[node] + withdrawingOf[node];
        uint256 amount = has < NODE_SLASH_CAP ? has : NODE_SLASH_CAP;
        uint256 first = amount < nodeStakeOf[node] ? amount : nodeStakeOf[node];
        nodeStakeOf[node] -= first;
        withdrawingOf[node] -= amount - first;
        bytes memory again = abi.encodeCall(registry.slashNode, (fault, signatures));
        if (amount > 0) {
            registry.slashNode(fault, signatures);
            _holdForProof(fault.proof, 0, node, amount);
            ++slashes;
            if (amount < NODE_SLASH_CAP) return _slashTheRest(seed, amount, fault, signatures);
        }
        _refuse(node, address(registry), 0, again, HeldMoney.HeldMoneyNothingTaken.selector);
    }

    /// @dev Now and then a node of little stake stakes again, and the same signatures take that too: on a ground of its own,
    /// so that what was taken first is free when it was to be.
    function _slashTheRest(
        uint256 seed,
        uint256 taken,
        NodeStakes.NodeFault memory fault,
        bytes[] memory signatures
    ) private {
        if (seed % 3 > 0) return;
        uint256 left = NODE_SLASH_CAP - taken;
        if (left < NODE_STEP) return;
        uint256 amount = _between(seed >> 16, NODE_STEP, left);
        _wait(_between(seed >> 32, 0, DISPUTE_LIMIT / 2));
        if (_now() > fault.deadline) return;
        vm.deal(fault.node, amount);
        vm.prank(fault.node);
        registry.stakeNode{value: amount}();
        vm.prank(fault.node);
        registry.slashNode(fault, signatures);
        _holdForProof(fault.proof, taken, fault.node, amount);
        ++slashes;
    }

    function _holdForProof(bytes32 proof, uint256 before, address node, uint256 amount) private {
        _hold(keccak256(abi.encode("proof", proof, before)), node, amount, DISPUTE_LIMIT, false);
    }

    // ---- what waits for the holders

    /// @notice What is held is paid when it is free, to whom it goes by itself; what verifiers took, once votes exist.
    function payHeld(uint256 seed) external {
        if (_grounds.length == 0) return;
        uint256 place = seed % _grounds.length;
        bytes32 ground = _grounds[place];
        address account = _heldOf[ground];
        bytes memory call = abi.encodeCall(registry.payHeld, (ground, account));
        uint256 decided = _votesSince + DISPUTE_LIMIT;
        if (decided < _freeAt[ground]) _toTheEdge(seed, decided);
        uint256 free = decided > _freeAt[ground] ? decided : _freeAt[ground];
        if (_now() < free || _votesSince == 0) {
            _refuse(account, address(registry), 0, call, HeldMoney.HeldMoneyStillHeld.selector);
            if (seed % 4 > 0 || _votesSince == 0) return;
            vm.warp(free);
        }
        registry.payHeld(ground, account);
        _release(place, _isAccounts[ground]);
        _refuse(account, address(registry), 0, call, HeldMoney.HeldMoneyNothingHeld.selector);
    }

    /// @notice Somebody notes that votes exist.
    function noteVotes() external {
        registry.noteVotes();
        if (_votesSince == 0 && _minted >= QUORUM_FLOOR) _votesSince = _now();
    }

    /// @notice The holders decide whose it is, at any time while it is there.
    function decideHeld(uint256 seed, bool back) external {
        if (_grounds.length == 0 || seed % 3 > 0) return;
        uint256 place = seed % _grounds.length;
        bytes32 ground = _grounds[place];
        vm.startPrank(address(timelock));
        registry.decideHeld(ground, _heldOf[ground], back);
        registry.decideHeld(ground, _heldOf[ground], !back); // nothing is held any more
        vm.stopPrank();
        _release(place, back);
    }

    function _hold(bytes32 ground, address account, uint256 amount, uint256 span, bool isAccounts) private {
        _grounds.push(ground);
        _heldOf[ground] = account;
        _amounts[ground] = amount;
        _freeAt[ground] = _now() + span;
        _isAccounts[ground] = isAccounts;
        heldInAll += amount;
    }

    function _release(uint256 place, bool back) private {
        bytes32 ground = _grounds[place];
        uint256 amount = _amounts[ground];
        heldInAll -= amount;
        _amounts[ground] = 0;
        _grounds[place] = _grounds[_grounds.length - 1];
        _grounds.pop();
        if (back) _paid(_heldOf[ground], amount);
        else forfeited += amount;
    }

    // ---- time and debts

    function wait(uint256 seed) external {
        _wait(_between(seed, 1, seed % 8 == 0 ? 2 * DISPUTE_LIMIT : 3 * WINDOW));
    }

    /// @notice Whom a transfer failed for, fetches it when it can take it.
    function withdraw(uint256 seed) external {
        address person = _person(seed);
        bytes memory call = abi.encodeCall(registry.withdraw, ());
        if (owedTo[person] == 0) {
            _refuse(person, address(registry), 0, call, PullPayments.PullPaymentsNothingOwed.selector);
            return;
        }
        if (person == address(stubborn)) stubborn.setWilling(true);
        _receives(person, owedTo[person], call);
        owedTo[person] = 0;
    }

    function refuseCoins() external {
        stubborn.setWilling(false);
    }

    // ---- what invariants ask

    function accounts() external view returns (address[] memory found) {
        found = new address[](keys.length + PEOPLE);
        for (uint256 i = 0; i < keys.length; ++i) found[i] = seats[i];
        for (uint256 i = 0; i < PEOPLE; ++i) found[keys.length + i] = _person(i);
    }

    /// @notice Who signed the root that is open.
    function signers() external view returns (address[] memory) {
        return _signers;
    }

    /// @notice What a challenge of the open epoch costs.
    function nextBond() public view returns (uint256) {
        return _bondAfter(_fruitlessNow());
    }

    // ---- parts

    function _fruitlessNow() private view returns (uint256) {
        uint256 quiet = (_now() - _fruitlessAt - (_disputedNow() - _disputedAtFruitless)) / DISPUTE_LIMIT;
        return fruitless > quiet ? fruitless - quiet : 0;
    }

    function _endDispute(bool inVain) private {
        (_disputed, _disputedSince) = (_disputedNow(), 0);
        if (!inVain) return;
        uint256 more = _fruitlessNow() + 1;
        (fruitless, _fruitlessAt, _disputedAtFruitless) = (more < 8 ? more : 8, _now(), _disputed);
    }

    function _disputedNow() private view returns (uint256) {
        return _disputed + (_disputedSince == 0 ? 0 : _now() - _disputedSince);
    }

    /// @dev How many final epochs settled more than that time, counted one by one.
    function _closedSince(uint256 time) private view returns (uint256 count) {
        for (uint256 i = 0; i < _settled.length; ++i) if (_settled[i] > time) ++count;
    }

    function _coinsOfSigners() private view returns (uint256 sum) {
        for (uint256 i = 0; i < _signers.length; ++i) sum += _signers[i].balance;
    }

    function _signed(address verifier) private view returns (bool) {
        for (uint256 i = 0; i < _signers.length; ++i) {
            if (_signers[i] == verifier) return true;
        }
        return false;
    }

    function _verifier(uint256 seed) private view returns (address) {
        return seats[seed % keys.length];
    }

    /// @dev A node or challenger; one of them takes no coins.
    function _person(uint256 seed) private view returns (address) {
        uint256 place = seed % PEOPLE;
        return place == 0 ? address(stubborn) : address(uint160(0xB0B0000 + place));
    }

    /// @dev Places of the verifiers whose signature counts, but for one of them.
    function _eligible(address but) private view returns (uint256[] memory places) {
        uint256 count = 0;
        places = new uint256[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            address one = seats[i];
            if (one != but && registry.isVerifier(one) && stakeOf[one] >= MIN_STAKE) places[count++] = i;
        }
        assembly {
            mstore(places, count)
        }
    }

    function _slash(address verifier, uint256 most) private returns (uint256 amount) {
        amount = stakeOf[verifier] < most ? stakeOf[verifier] : most;
        stakeOf[verifier] -= amount;
        ++slashes;
    }

    function _paid(address to, uint256 amount) private {
        if (to == address(stubborn) && !stubborn.willing()) owedTo[to] += amount;
    }

    /// @dev The call gives its sender exactly this many wei.
    function _receives(address sender, uint256 amount, bytes memory data) private {
        uint256 before = sender.balance;
        vm.prank(sender);
        (bool done,) = address(registry).call(data);
        vm.assertTrue(done, "the registry pays");
        vm.assertEq(sender.balance - before, amount, "what is paid is what is due");
    }
}
