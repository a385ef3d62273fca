// A shard that a source brings back: what the source cannot vouch for is said, and what was written since is never taken back.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { SHARD_FILE } from "../../src/format/shard-header.ts";
import { STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { SIDECAR_TEMP_FILE } from "../../src/format/versions-sidecar.ts";
import { FaultDisk } from "./repair-fault-disk.ts";
import { FixtureCopy, journalsIn, runWords } from "./repair-support.ts";

setDefaultTimeout(30_000);

const NAME = "8x16-2-shards";

class Pair implements Disposable {
  readonly copy = new FixtureCopy(NAME, "leader-clean");
  readonly source = new FixtureCopy(NAME, "leader-clean");

  [Symbol.dispose](): void {
    this.copy[Symbol.dispose]();
    this.source[Symbol.dispose]();
  }

  get journal(): string {
    return journalsIn(this.copy.path)[0] ?? "none";
  }

  /** Flips a bit in the first so many live slots of shard 1. */
  harm(of: FixtureCopy, count: number): number[] {
    const slots = of.slotsOf(1, STATUS_OCCUPIED).slice(0, count);
    for (const slot of slots) {
      of.setSlot(
        1,
        slot,
        of.slotBytes(1, slot).map((byte, at) => (at === 20 ? byte ^ 1 : byte)),
      );
    }
    return slots;
  }

  repair(disk?: FaultDisk) {
    const words = [this.copy.path, "--from", this.source.path, "--apply", "--yes", "--json"];
    return runWords(repairCommand, words, disk === undefined ? {} : { disk });
  }

  undo(...more: string[]) {
    return runWords(repairCommand, [this.copy.path, "--undo", this.journal, "--yes", ...more]);
  }
}

const UNSURE = (source: string, count: number) => ({
  ...{ kind: "source-unsure", severity: "damage", shard: 1, slot: null },
  message: `${count} slots are damaged at "${source}" itself`,
});

describe("what the source cannot vouch for is not called repaired", () => {
  test("of a shard that is filled", async () => {
    using pair = new Pair();
    pair.harm(pair.source, 2);
    rmSync(pair.copy.file(1));
    const { status, document, lines } = await pair.repair();
    expect(status).toBe(3);
    expect(document).toMatchObject({
      verdict: "incomplete",
      unsure: [{ shard: 1, count: 2 }],
      remaining: [UNSURE(pair.source.path, 2)],
    });
    expect(lines).toEqual([]);
  });

  test("of a shard that is merged, and only what is damaged on both sides", async () => {
    using pair = new Pair();
    pair.harm(pair.copy, 2);
    pair.harm(pair.source, 3);
    const { status, document } = await pair.repair();
    expect(status).toBe(3);
    expect(document).toMatchObject({
      verdict: "incomplete",
      unsure: [{ shard: 1, count: 2 }],
      remaining: [UNSURE(pair.source.path, 2)],
    });
    expect(document["notes"]).toEqual([
      `shard 1: 3 slots are damaged at "${pair.source.path}" itself`,
    ]);
  });

  test("a sound source leaves nothing", async () => {
    using pair = new Pair();
    rmSync(pair.copy.file(1));
    const { status, document } = await pair.repair();
    expect([status, document["verdict"], document["unsure"]]).toEqual([0, "repaired", []]);
  });
});

describe("an undo of a shard that was filled", () => {
  test("removes it as long as it is as it was filled", async () => {
    using pair = new Pair();
    rmSync(pair.copy.file(1));
    await pair.repair();
    expect((await pair.undo()).status).toBe(0);
    expect(existsSync(pair.copy.file(1))).toBe(false);
  });

  test("puts nothing back once a record was written into it, without --force", async () => {
    using pair = new Pair();
    rmSync(pair.copy.file(1));
    await pair.repair();
    const [slot = 0] = pair.copy.slotsOf(1, STATUS_OCCUPIED);
    pair.copy.rewrite(1, slot, 900, 7);
    const written = readFileSync(pair.copy.file(1));
    const refused = await pair.undo();
    expect([refused.status, refused.error?.message]).toEqual([
      5,
      `Cannot undo in "${pair.copy.path}": shard_001/${SHARD_FILE} changed after the repair; nothing was put back`,
    ]);
    expect(readFileSync(pair.copy.file(1))).toEqual(written);
    const forced = await pair.undo("--force");
    expect(forced.status).toBe(0);
    expect(forced.said.join("\n")).toContain(`shard_001/${SHARD_FILE} changed after the repair`);
    expect(existsSync(pair.copy.file(1))).toBe(false);
  });

  test("whose old file was cut short puts the old file back, unless the new one was written to", async () => {
    using pair = new Pair();
    const stump = new Uint8Array(100).fill(7);
    writeFileSync(pair.copy.file(1), stump);
    await pair.repair();
    const filled = readFileSync(pair.copy.file(1));
    pair.copy.poke(pair.copy.file(1), 5000, [1, 2, 3]);
    expect((await pair.undo()).status).toBe(5);
    writeFileSync(pair.copy.file(1), filled);
    expect((await pair.undo()).status).toBe(0);
    expect(new Uint8Array(readFileSync(pair.copy.file(1)))).toEqual(stump);
    // Again: everything is as it was.
    expect((await pair.undo()).status).toBe(0);
  });

  test("is noted, and the note durable, before the new file gets its name", async () => {
    using pair = new Pair();
    rmSync(pair.copy.file(1));
    const disk = new FaultDisk();
    await pair.repair(disk);
    disk.release();
    const renamed = disk.log.findIndex((call) => call.startsWith("rename "));
    const before = disk.log.slice(0, renamed);
    const written = before.lastIndexOf(`write ${pair.journal}`);
    const synced = before.lastIndexOf(`sync ${pair.journal}`);
    // After the fill: the journal's own plan was written before the new file was made.
    const made = before.findIndex((call) => call.startsWith("create ") && call.endsWith("-new"));
    expect(made).toBeGreaterThan(0);
    expect(written).toBeGreaterThan(made);
    expect(synced).toBeGreaterThan(written);
  });

  test("by a journal of an earlier build, which did not note what it filled, needs --force", async () => {
    using pair = new Pair();
    rmSync(pair.copy.file(1));
    await pair.repair();
    const bytes = readFileSync(pair.journal);
    // The note is the last entry: 40 bytes, without contents.
    writeFileSync(pair.journal, bytes.subarray(0, bytes.length - 40));
    expect((await pair.undo()).status).toBe(5);
    expect((await pair.undo("--force")).status).toBe(0);
    expect(existsSync(pair.copy.file(1))).toBe(false);
  });
});

test("an undo leaves a stray temporary file alone", async () => {
  using pair = new Pair();
  pair.harm(pair.copy, 1);
  const stray = pair.copy.file(1, SIDECAR_TEMP_FILE);
  writeFileSync(stray, "somebody's");
  await pair.repair();
  expect((await pair.undo()).status).toBe(0);
  expect(readFileSync(stray, "utf8")).toBe("somebody's");
});

test("a source with one damaged header serves the other shards", async () => {
  using pair = new Pair();
  pair.harm(pair.copy, 1);
  rmSync(`${pair.copy.path}/db.meta`);
  pair.source.poke(pair.source.file(0), 0, [0]);
  const { status, error } = await pair.repair();
  expect([status, error?.message]).toEqual([0, undefined]);
});
