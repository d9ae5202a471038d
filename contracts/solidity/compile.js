// Reads {settings, sources} from stdin, writes solc's standard JSON output; imports come from node_modules.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const input = JSON.parse(fs.readFileSync(0, "utf8"));
const findImports = (name) => {
  try {
    return { contents: fs.readFileSync(path.join(__dirname, "node_modules", name), "utf8") };
  } catch (error) {
    return { error: String(error) };
  }
};
process.stdout.write(solc.compile(JSON.stringify(input), { import: findImports }));
