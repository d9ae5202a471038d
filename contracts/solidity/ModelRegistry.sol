// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Models and what their holders decided
/// @notice A registration never changes; decisions, checkpoints and releases come from the model's timelock only.
/// @dev One registry serves many models, so power is by model: the check is against the timelock in the model's own
/// entry and no role, which would hold for all models at once. Nobody administers the registry itself.
contract ModelRegistry {
    /// @dev `pool` is zero where there was no funding round at genesis; later rounds are decisions.
    struct Model {
        string name;
        address token;
        address timelock;
        address governor;
        address verifierRegistry;
        address distributor;
        address splitter;
        address pool;
    }

    error ModelRegistryModelKnown(bytes32 model);
    error ModelRegistryModelUnknown(bytes32 model);
    error ModelRegistryNotTimelock(bytes32 model, address caller);
    error ModelRegistryDecisionServed(bytes32 decisionId);
    error ModelRegistryDigestMissing();
    error ModelRegistryCheckpointKnown(bytes32 model, uint64 round);
    error ModelRegistryReleaseKnown(bytes32 model, string version);

    event ModelRegistered(bytes32 indexed model, address indexed registrant, string name);
    event Decision(bytes32 indexed model, uint64 sequence, bytes32 indexed decisionId, string key, string value);
    event CheckpointRecorded(bytes32 indexed model, uint64 round, bytes32 digest);
    event ReleaseRecorded(bytes32 indexed model, string version, bytes32 digest, string licence);

    mapping(bytes32 model => Model) private _models;
    /// @notice How many decisions a model has.
    mapping(bytes32 model => uint64) public sequenceOf;
    mapping(bytes32 model => mapping(string key => string)) private _values;
    /// @notice Whether a decision id has served.
    mapping(bytes32 model => mapping(bytes32 decisionId => bool)) public served;
    /// @notice Digest of the weights after a round, zero where none is recorded.
    mapping(bytes32 model => mapping(uint64 round => bytes32)) public checkpointOf;
    mapping(bytes32 model => mapping(string version => bytes32)) private _releases;

    modifier onlyTimelock(bytes32 model) {
        address timelock = _models[model].timelock;
        if (timelock == address(0)) revert ModelRegistryModelUnknown(model);
        if (msg.sender != timelock) revert ModelRegistryNotTimelock(model, msg.sender);
        _;
    }

    /// @notice Registers a model for ever under an id that depends on the caller.
    /// @param entry Its name and its contracts.
    /// @return model The id.
    function register(Model calldata entry) external returns (bytes32 model) {
        model = modelId(msg.sender, entry.name);
        if (_models[model].timelock != address(0)) revert ModelRegistryModelKnown(model);
        if (entry.timelock == address(0)) revert ModelRegistryModelUnknown(model);
        _models[model] = entry;
        emit ModelRegistered(model, msg.sender, entry.name);
    }

    /// @notice Records a decision of the holders; one id serves once. Only the model's timelock.
    /// @dev Proposal ids carry neither chain nor governor, hence an id in the decision itself.
    /// @param model Whose decision.
    /// @param decisionId Unique for the model.
    /// @param key What is decided, for instance a hyper-parameter.
    /// @param value The new value.
    function decide(bytes32 model, bytes32 decisionId, string calldata key, string calldata value)
        external
        onlyTimelock(model)
    {
        if (served[model][decisionId]) revert ModelRegistryDecisionServed(decisionId);
        served[model][decisionId] = true;
        _values[model][key] = value;
        emit Decision(model, ++sequenceOf[model], decisionId, key, value);
    }

    /// @notice Records the digest of a model's weights after a round, once. Only the model's timelock.
    /// @param model Whose weights.
    /// @param round After which.
    /// @param digest Of the state.
    function recordCheckpoint(bytes32 model, uint64 round, bytes32 digest) external onlyTimelock(model) {
        if (digest == bytes32(0)) revert ModelRegistryDigestMissing();
        if (checkpointOf[model][round] != bytes32(0)) revert ModelRegistryCheckpointKnown(model, round);
        checkpointOf[model][round] = digest;
        emit CheckpointRecorded(model, round, digest);
    }

    /// @notice Names weights that the holders release, once for each version. Only the model's timelock.
    /// @param model Whose weights.
    /// @param version For instance `1.0.0`.
    /// @param digest Of the state.
    /// @param licence Under which they are released.
    function recordRelease(bytes32 model, string calldata version, bytes32 digest, string calldata licence)
        external
        onlyTimelock(model)
    {
        if (digest == bytes32(0)) revert ModelRegistryDigestMissing();
        if (_releases[model][version] != bytes32(0)) revert ModelRegistryReleaseKnown(model, version);
        _releases[model][version] = digest;
        emit ReleaseRecorded(model, version, digest, licence);
    }

    /// @notice Digest of a released version, zero where there is none.
    function releaseOf(bytes32 model, string calldata version) external view returns (bytes32) {
        return _releases[model][version];
    }

    /// @notice A model's entry, all zero where there is none.
    function modelOf(bytes32 model) external view returns (Model memory) {
        return _models[model];
    }

    /// @notice What the holders decided last under a key, empty where nothing.
    function valueOf(bytes32 model, string calldata key) external view returns (string memory) {
        return _values[model][key];
    }

    /// @notice The id that a registrant's model of this name has or would have.
    function modelId(address registrant, string calldata name) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), registrant, name));
    }
}
