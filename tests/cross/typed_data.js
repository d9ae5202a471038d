// stdin: a list of {domain, types, primaryType, message}; stdout: their EIP-712 digests by viem.
// Whole numbers of more than 53 bits come as decimal strings, which viem reads as such.
const { hashTypedData } = require("viem");
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));

process.stdout.write(JSON.stringify(asked.map((one) => hashTypedData(one))));
