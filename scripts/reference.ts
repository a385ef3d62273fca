// Writes the reference in README.md from the tables of the commands, so that the two cannot drift: `bun scripts/reference.ts`;
// with --check only says whether it is up to date. Used by a test too.

import { readFileSync, writeFileSync } from "node:fs";
import { referenceMarkdown } from "../src/cli/pages/reference.ts";
import { loadSpecs } from "../src/cli/registry.ts";

const README = "README.md";
const MARKED = /<!-- reference -->[\s\S]*<!-- \/reference -->/;
/** Headings below the section's own. */
const LEVEL = 3;

/** README with the reference as the commands are now. */
export async function withReference(readme: string): Promise<string> {
  if (!MARKED.test(readme)) throw new Error(`${README} has no place for the reference`);
  const reference = referenceMarkdown(await loadSpecs(), LEVEL).trimEnd();
  return readme.replace(MARKED, () => `<!-- reference -->\n\n${reference}\n\n<!-- /reference -->`);
}

if (import.meta.main) {
  const readme = readFileSync(README, "utf8");
  const wanted = await withReference(readme);
  const isCheck = process.argv.includes("--check");
  if (wanted === readme) console.error("the reference is up to date");
  else if (isCheck) {
    console.error("the reference is not that of the commands: sh scripts/reference writes it");
    process.exit(1);
  } else {
    writeFileSync(README, wanted);
    console.error("the reference was written");
  }
}
