// A new volume as DIR: what its file system brings is no contents. Anything else is, and is refused untouched.

import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { replicateOnce, runArmdb } from "../support/armdb.ts";
import { RealScriptedLeader } from "../support/bad-leader.ts";
import { LoopImage } from "../support/loop-image.ts";
import { need } from "../support/needs.ts";
import { contentsDigest } from "../support/replica-contents.ts";
import { runCommand } from "../support/run-command.ts";
import { TempRoot, treeOf } from "../support/temp.ts";

const LIMIT_MS = 60_000;

/** What doctor says of the contents of a directory that is to be followed into. */
async function contentsCheck(dir: string, launcher: readonly string[] = []): Promise<unknown> {
  const run = await runArmdb(["doctor", "--data", dir, "--json"], { launcher });
  const { checks } = JSON.parse(run.stdout) as { checks: { name: string; result: string }[] };
  return checks.find(({ name }) => name === "contents")?.result;
}

const hasLoops = need("loop devices", LoopImage.available());

test.if(hasLoops)(
  "a new ext4 mounted as DIR is followed into, its lost+found is left alone and not called stray",
  async () => {
    using temp = new TempRoot("fresh-volume");
    await using image = await LoopImage.create(temp.fresh("image"), 48);
    const { root: dir, inside: launcher } = image;
    const brought = join(image.reach(dir), "lost+found");
    const before = treeOf(brought);
    expect(before).not.toBe(null);
    expect(await contentsCheck(dir, launcher)).toBe("ok");

    using leader = RealScriptedLeader.good();
    const run = await replicateOnce(leader.address, dir, [], { launcher });
    expect({ status: run.status, error: run.error }).toEqual({ status: 0, error: null });
    expect(contentsDigest(image.reach(dir)).count).toBe(20);
    expect(treeOf(brought)).toEqual(before);
    const { documents, status } = await runCommand(verifyCommand, [image.reach(dir), "--json"]);
    expect([status, documents[0]]).toMatchObject([0, { verdict: "ok", findings: [] }]);
    expect(await contentsCheck(dir, launcher)).toBe("ok");
  },
  LIMIT_MS,
);

const OTHERS: Readonly<Record<string, (path: string) => void>> = {
  "a file of that name": (path) => writeFileSync(path, "mine"),
  "a link of that name": (path) => symlinkSync("/tmp", path),
  "another directory beside it": (path) => {
    mkdirSync(path);
    mkdirSync(`${path}.old`);
  },
};

describe("a directory is refused, untouched, that holds", () => {
  test.each(Object.entries(OTHERS))(
    "%s",
    async (_what, put) => {
      using temp = new TempRoot("fresh-volume");
      put(join(temp.path, "lost+found"));
      const before = treeOf(temp.path);
      using leader = RealScriptedLeader.good();
      const { status, error } = await replicateOnce(leader.address, temp.path);
      expect([status, error?.["code"]]).toEqual([10, "no-database"]);
      expect(await contentsCheck(temp.path)).toBe("fail");
      expect(treeOf(temp.path)).toEqual(before);
    },
    LIMIT_MS,
  );
});
