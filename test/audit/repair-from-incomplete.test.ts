// repair --from a second directory whose own first copy has not ended: what is missing there must not pass for what was never
// written. Refused as serve refuses it, unless --force says that what is there will do.

import { describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { leaveCopyState } from "../support/copy-state.ts";
import { contentsOf, FixtureCopy, runWords } from "./repair-support.ts";

const SLOT = 5;

/** A copy of which a shard is gone, and a source whose shard 1 is said to be so complete. */
function pair(complete: boolean | null) {
  const copy = new FixtureCopy("8x16-2-shards", "follower-clean");
  const source = new FixtureCopy("8x16-2-shards", "follower-clean");
  leaveCopyState(source.path, [true, complete]);
  const words = [copy.path, "--from", source.path, "--apply", "--yes", "--json"];
  const stack = new DisposableStack();
  stack.use(copy);
  stack.use(source);
  return { copy, source, words, [Symbol.dispose]: () => stack.dispose() };
}

const warningsOf = (said: readonly string[]) =>
  said.flatMap((text) => (text.startsWith("warn: ") ? text.slice(6) : []));

describe("repair --from a directory whose first copy has not ended", () => {
  test.each(["a shard is filled", "slots are merged"])(
    "is refused before %s, exit 4",
    async (how) => {
      using made = pair(false);
      const { copy, source, words } = made;
      if (how === "a shard is filled") rmSync(copy.file(1));
      else copy.poke(copy.file(1), 4096 + SLOT * 32 + 20, [0xff]);
      const before = contentsOf(copy.path);
      const { status, error } = await runWords(repairCommand, words);
      expect(status).toBe(4);
      expect(error).toMatchObject({
        code: "incomplete",
        message: `Cannot repair from "${source.path}": the first copy from 10.0.0.5:7400 has not ended for 1 of its 2 shards`,
        details: {
          path: source.path,
          hint: `armdb replicate 10.0.0.5:7400 --data ${source.path}, or --force to take what is there`,
        },
      });
      expect(contentsOf(copy.path)).toEqual(before);
      expect((await runWords(repairCommand, words.toSpliced(3, 2))).status).toBe(4);
    },
  );

  test("takes what is there with --force, and warns of it", async () => {
    using made = pair(false);
    rmSync(made.copy.file(1));
    const { status, said } = await runWords(repairCommand, [...made.words, "--force"]);
    expect(status).toBe(0);
    expect(warningsOf(said)).toEqual([
      `The first copy in "${made.source.path}" has not ended for 1 of its 2 shards: what is missing there counts as never written`,
    ]);
  });

  test("is allowed for a shard whose copy is whole, and where nobody says", async () => {
    using made = pair(false);
    rmSync(made.copy.file(0));
    expect((await runWords(repairCommand, [...made.words, "--shard", "0"])).status).toBe(0);
    using unknown = pair(null);
    rmSync(unknown.copy.file(1));
    const { status, said } = await runWords(repairCommand, unknown.words);
    expect([status, warningsOf(said)]).toEqual([0, []]);
  });

  test("is not asked of a directory that needs nothing", async () => {
    using made = pair(false);
    expect((await runWords(repairCommand, made.words)).status).toBe(0);
  });

  test("says that it is not known where the state file cannot be understood", async () => {
    using made = pair(true);
    writeFileSync(join(made.source.path, "armdb.state.json"), "{");
    rmSync(made.copy.file(1));
    const { status, said } = await runWords(repairCommand, made.words);
    expect([status, warningsOf(said)]).toEqual([
      0,
      [
        "armdb.state.json is not the state of a follower: whether the copy is complete is not known",
      ],
    ]);
  });
});
