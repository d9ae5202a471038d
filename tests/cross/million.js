// argv: file of JSON {types, values}; prints root and the seconds that @openzeppelin/merkle-tree takes to build the tree.
const { StandardMerkleTree } = require("@openzeppelin/merkle-tree");
const { types, values } = JSON.parse(require("fs").readFileSync(process.argv[2], "utf8"));
const started = process.hrtime.bigint();
const tree = StandardMerkleTree.of(values, types);
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
process.stdout.write(JSON.stringify({ root: tree.root, seconds, rss: process.memoryUsage().rss }));
