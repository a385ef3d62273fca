// Every block of commands in the documents is run, as written (documents.ts says how), and where a document shows output, the
// real output has it. The README's reference has a test of its own.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Block, type Document, readDocuments } from "./documents.ts";
import { missingParts } from "./expected-output.ts";
import { addUser, type Contents } from "./prepared.ts";
import { Stage } from "./stage.ts";
import { LEFT_OUT } from "./users.ts";

/** Commands that cannot run inside the test that the gate runs, and who runs them. */
const RUN_ELSEWHERE: Readonly<Record<string, string>> = {
  "sh scripts/test": "this is it",
  "sh scripts/test --changed": "this is it, in part",
  "sh scripts/test test/format test/docs": "this is it",
  "sh scripts/build": "the gate builds with it before any test",
  "sh scripts/demo": "test/docs/demo.test.ts",
};
/** Programs of the system that blocks use; where one is missing its blocks are skipped. */
const TOOLS = ["jq", "curl"];
/** Turns wait for each other; a single command has a limit of its own, and then says what it was. */
const TEST_LIMIT_MS = 180_000;
const TRIES_MAX = 10;
const TRY_AFTER_MS = 500;

let stage: Stage;
beforeAll(async () => {
  if (LEFT_OUT !== null) console.log(LEFT_OUT);
  stage = await Stage.start();
}, TEST_LIMIT_MS);
afterAll(() => stage[Symbol.asyncDispose](), TEST_LIMIT_MS);

for (const document of readDocuments()) {
  const commands = commandBlocks(document);
  if (commands.length === 0) continue;
  describe(document.path, () => {
    for (const { block, shown } of commands) {
      const { with: contents, in: place, by } = block.attributes;
      const first = block.text.split("\n")[0];
      const name = `line ${block.line}: ${first}`;
      if (by === "gate") {
        test(`${name} is run elsewhere`, () => {
          const known = Object.keys(RUN_ELSEWHERE);
          for (const line of block.text.split("\n")) expect(known).toContain(line);
        });
        continue;
      }
      const own = contents === undefined ? document.path : name;
      const where = place === undefined ? own : `${document.path} ${place}`;
      test.concurrentIf(hasTools(block))(
        name,
        () => stage.inTurn(where, () => runBlock(block, shown, where, contents as Contents)),
        TEST_LIMIT_MS,
      );
    }
  });
}

/** Blocks of commands with the output that is shown below them. The reference has a test of its own. */
function commandBlocks({ blocks, text }: Document) {
  const reference = text.slice(0, text.indexOf("<!-- reference -->")).split("\n").length;
  const hasReference = text.includes("<!-- reference -->");
  return blocks
    .map((block, index) => ({ block, shown: blocks[index + 1] ?? null }))
    .filter(({ block }) => block.language === "sh" && !(hasReference && block.line > reference))
    .map(({ block, shown }) => ({ block, shown: isOutputOf(shown, block) ? shown.text : null }));
}

/** An output stands right below its commands. */
function isOutputOf(shown: Block | null, block: Block): shown is Block {
  const end = block.line + block.text.split("\n").length + 1;
  return shown?.language === "text" && shown.line - end <= 2;
}

function hasTools({ text }: Block): boolean {
  return TOOLS.every((tool) => !new RegExp(`\\b${tool}\\b`).test(text) || Bun.which(tool) !== null);
}

async function runBlock(
  { attributes, text }: Block,
  shown: string | null,
  where: string,
  contents: Contents | undefined,
): Promise<void> {
  const { exit = "0", keeps, stop, killed, users, path, again } = attributes;
  const place = await stage.place(where, contents);
  if (users !== undefined) await addUser(place, users);
  if (path !== undefined) place.addToPath(path);
  if (stop !== undefined) {
    const stopped = await place.end(stop, "SIGINT");
    expect({ stopped: stopped.status, output: stopped.output }).toMatchObject({ stopped: 0 });
  }
  let output: string;
  if (keeps === undefined) {
    let ran = await place.run(text);
    for (let tries = 1; tries < TRIES_MAX && String(ran.status) === again; tries++) {
      await Bun.sleep(TRY_AFTER_MS);
      ran = await place.run(text);
    }
    ({ output } = ran);
    expect({ output, status: ran.status }).toEqual({ output, status: Number(exit) });
  } else {
    output = await place.keep(text, keeps);
  }
  if (killed !== undefined) expect((await place.end(killed, null)).status).toBeNull();
  if (shown !== null) expect(missingParts(shown, output, place.dir)).toEqual([]);
}
