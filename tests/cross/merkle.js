// stdin: {types, values}; stdout: root and proofs by @openzeppelin/merkle-tree, nobody's code here.
const { StandardMerkleTree } = require("@openzeppelin/merkle-tree");
const { types, values } = JSON.parse(require("fs").readFileSync(0, "utf8"));

const tree = StandardMerkleTree.of(values, types);
const proofs = values.map((value) => tree.getProof(value));
process.stdout.write(JSON.stringify({ root: tree.root, proofs, leaves: values.map((value) => tree.leafHash(value)) }));
