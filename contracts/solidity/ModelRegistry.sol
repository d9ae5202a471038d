// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Models and what their holders decided
/// @notice A registration never changes; decisions and checkpoints come from the model's timelock only.
contract ModelRegistry {
    struct Model {
        string name;
        address token;
        address timelock;
        address governor;
        address verifierRegistry;
        address distributor;
    }

    error ModelKnown(bytes32 model);
    error ModelUnknown(bytes32 model);
    error NotTimelock(bytes32 model, address caller);
    error DecisionServed(bytes32 decisionId);
    error CheckpointKnown(bytes32 model, uint64 round);

    event ModelRegistered(bytes32 indexed model, address indexed registrant, string name);
    event Decision(bytes32 indexed model, uint64 sequence, bytes32 indexed decisionId, string key, string value);
    event CheckpointRecorded(bytes32 indexed model, uint64 round, bytes32 digest);

    mapping(bytes32 model => Model) private _models;
    mapping(bytes32 model => uint64) public sequenceOf;
    mapping(bytes32 model => mapping(string key => string)) private _values;
    mapping(bytes32 model => mapping(bytes32 decisionId => bool)) public served;
    mapping(bytes32 model => mapping(uint64 round => bytes32)) public checkpointOf;

    modifier onlyTimelock(bytes32 model) {
        address timelock = _models[model].timelock;
        if (timelock == address(0)) revert ModelUnknown(model);
        if (msg.sender != timelock) revert NotTimelock(model, msg.sender);
        _;
    }

    /// @notice Registers a model for ever under an id that depends on the caller.
    function register(
        string calldata name,
        address token,
        address timelock,
        address governor,
        address verifierRegistry,
        address distributor
    ) external returns (bytes32 model) {
        model = modelId(msg.sender, name);
        if (_models[model].timelock != address(0)) revert ModelKnown(model);
        if (timelock == address(0)) revert ModelUnknown(model);
        _models[model] = Model(name, token, timelock, governor, verifierRegistry, distributor);
        emit ModelRegistered(model, msg.sender, name);
    }

    /// @notice Records a decision of the holders; one id serves once.
    function decide(bytes32 model, bytes32 decisionId, string calldata key, string calldata value)
        external
        onlyTimelock(model)
    {
        if (served[model][decisionId]) revert DecisionServed(decisionId);
        served[model][decisionId] = true;
        _values[model][key] = value;
        emit Decision(model, ++sequenceOf[model], decisionId, key, value);
    }

    /// @notice Records the digest of a model's weights after a round, once.
    function recordCheckpoint(bytes32 model, uint64 round, bytes32 digest) external onlyTimelock(model) {
        if (checkpointOf[model][round] != bytes32(0)) revert CheckpointKnown(model, round);
        checkpointOf[model][round] = digest;
        emit CheckpointRecorded(model, round, digest);
    }

    function modelOf(bytes32 model) external view returns (Model memory) {
        return _models[model];
    }

    function valueOf(bytes32 model, string calldata key) external view returns (string memory) {
        return _values[model][key];
    }

    function modelId(address registrant, string calldata name) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), registrant, name));
    }
}
