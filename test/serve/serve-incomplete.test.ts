// `armdb serve` of a copy that is not complete: refused with exit 4, as followers would take it for all there is; served with --force.

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { serveCommand } from "../../src/cli/commands/serve.ts";
import { ArmdbError } from "../../src/errors.ts";
import { openAtRest } from "../../src/serve/open-at-rest.ts";
import { DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { failingDisk } from "../audit/failing-disk.ts";
import { leaveCopyState } from "../support/copy-state.ts";
import { CommandRun } from "./command-context.ts";
import { TempDirectory } from "./holding.ts";

const ANY_PORT = { listen: "127.0.0.1:0" };

/** Serves until it listens, then stops it; everything it said. */
async function served(dir: string, options: Record<string, string | boolean> = ANY_PORT) {
  const run = new CommandRun({ DIR: dir }, options);
  const finished = serveCommand.run(run.context);
  const listening = run.document(({ type }) => type === "listening");
  await Promise.race([listening, finished]);
  run.stop();
  return { status: await finished, said: run.said };
}

describe("serve of an incomplete copy", () => {
  test("is refused with exit 4, and says how to complete it", async () => {
    using temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "follower-clean");
    leaveCopyState(dir, [true, false]);
    const thrown: unknown = await served(dir).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(ArmdbError);
    const { code, exitStatus, message, details } = thrown as ArmdbError;
    expect([code, exitStatus]).toEqual(["incomplete", 4]);
    expect(message).toBe(
      `Cannot serve "${dir}": the first copy from 10.0.0.5:7400 has not ended for 1 of its 2 shards`,
    );
    expect(details.hint).toBe(
      `armdb replicate 10.0.0.5:7400 --data ${dir}, or --force to serve what is there`,
    );
  });

  test("is served with --force, and warned of", async () => {
    using temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "follower-clean");
    leaveCopyState(dir, [true, false]);
    const { status, said } = await served(dir, { ...ANY_PORT, force: true });
    expect(status).toBe(0);
    expect(said).toContain(
      `warn: The first copy in "${dir}" has not ended for 1 of its 2 shards: followers get what is there, and take it for all`,
    );
  });

  test("changes nothing for a complete copy, and for a directory that no follower made", async () => {
    using temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "follower-clean");
    for (const complete of [null, [true, true], [true, null]] as const) {
      if (complete !== null) leaveCopyState(dir, complete);
      const { status, said } = await served(dir);
      expect(status).toBe(0);
      expect(said.filter((line) => line.startsWith("warn"))).toEqual([]);
    }
  });

  test("is not known where the state file tells nothing, which is said", async () => {
    using temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "follower-clean");
    writeFileSync(join(dir, "armdb.state.json"), "{");
    const { status, said } = await served(dir);
    expect(status).toBe(0);
    expect(said).toContain(
      "warn: armdb.state.json is not the state of a follower: whether the copy is complete is not known",
    );
    const disk = failingDisk(realDisk, (path) =>
      path.endsWith("armdb.state.json") ? new DiskError("read", path, "EIO") : null,
    );
    const warnings: string[] = [];
    const warn = (text: string) => void warnings.push(text);
    openAtRest({ disk, dir, force: false, note: () => {}, warn }).close();
    expect(warnings).toEqual([
      "armdb.state.json cannot be read (EIO): whether the copy is complete is not known",
    ]);
  });
});
