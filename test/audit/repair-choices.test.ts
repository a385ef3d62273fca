// armdb repair without a source: what becomes of a slot, what the options choose, what is refused, what is durable when.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { findingToJson } from "../../src/audit/finding-json.ts";
import { VERIFY_ALL, verifyDirectory } from "../../src/audit/verify.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { STATUS_FREE, STATUS_OCCUPIED, versionOf } from "../../src/format/slot.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realClock } from "../../src/io/time.ts";
import { FaultDisk } from "./repair-fault-disk.ts";
import { contentsOf, FixtureCopy, journalsIn, runWords } from "./repair-support.ts";

function verify(copy: FixtureCopy) {
  return verifyDirectory(copy.path, VERIFY_ALL, {
    disk: realDisk,
    clock: realClock,
    stop: new AbortController().signal,
    progress: () => {},
  });
}

describe("repair without a source", () => {
  const NAME = "8x16-2-shards";

  test("a bad slot of a replica becomes never-used, a leader's free with its version; lost keys come first", async () => {
    for (const [state, kind] of [
      ["follower-clean", "slot-never-used"],
      ["leader-clean", "slot-free"],
    ] as const) {
      using copy = new FixtureCopy(NAME, state);
      const slot = copy.slotsOf(1, STATUS_OCCUPIED)[4] ?? 0;
      const bytes = copy.slotBytes(1, slot);
      const version = versionOf(new DataView(bytes.buffer).getUint32(0, true));
      copy.setSlot(
        1,
        slot,
        bytes.map((byte, at) => (at === 20 ? byte ^ 0x80 : byte)),
      );
      const { lines } = await runWords(repairCommand, [copy.path, "--apply", "--yes"]);
      expect(lines.slice(0, 2)).toEqual([
        "1 record will be missing until the next scan or write restores it:",
        `  shard 1 slot ${slot}  its key is damaged`,
      ]);
      expect(lines.some((line) => line.includes(`${kind} `) && line.includes(`slot ${slot}`))).toBe(
        true,
      );
      const after = copy.slotBytes(1, slot);
      if (state === "follower-clean") expect(after.every((byte) => byte === 0)).toBe(true);
      else {
        expect(new DataView(after.buffer).getUint32(0, true)).toBe((version << 2) | STATUS_FREE);
        expect(after.subarray(4)).toEqual(
          bytes.subarray(4).map((byte, at) => (at === 16 ? byte ^ 0x80 : byte)),
        );
      }
      // After any change to slots: clean flag 0, no sidecar.
      expect(readFileSync(copy.file(1))[17]).toBe(0);
      expect(contentsOf(copy.path)["shard_001/fixed.versions"]).toBeUndefined();
      expect(contentsOf(copy.path)["shard_000/fixed.versions"]).toBeDefined();
    }
  });

  test("--keep decides a doubled key outside a replica, and names a slot of it or is refused", async () => {
    using copy = new FixtureCopy(NAME, "leader-clean");
    const [first = 0, second = 0] = copy.slotsOf(0, STATUS_OCCUPIED);
    copy.setSlot(0, second, copy.slotBytes(0, first));
    const left = await runWords(repairCommand, [copy.path, "--json"]);
    expect(left.document["doubledKeys"]).toMatchObject([{ shard: 0, slots: [first, second] }]);
    const wrong = await runWords(repairCommand, [copy.path, "--keep", "0:120"]);
    expect(wrong.status).toBe(2);
    const words = [copy.path, "--keep", `0:${second}`, "--apply", "--yes", "--json"];
    expect((await runWords(repairCommand, words)).status).toBe(0);
    expect(copy.slotsOf(0, STATUS_OCCUPIED)).not.toContain(first);
    expect(copy.slotsOf(0, STATUS_OCCUPIED)).toContain(second);
  });

  test("a file in the wrong place is not emptied", async () => {
    using copy = new FixtureCopy(NAME, "leader-clean");
    using other = new FixtureCopy(NAME, "leader-clean");
    copy.poke(copy.file(0), 0, readFileSync(other.file(1)));
    copy.poke(copy.file(1), 0, readFileSync(other.file(0)));
    const harmed = contentsOf(copy.path);
    const { status, document } = await runWords(repairCommand, [
      copy.path,
      "--apply",
      "--yes",
      "--json",
    ]);
    expect([status, document["verdict"]]).toEqual([3, "incomplete"]);
    expect(JSON.stringify(document["left"])).toContain("in the wrong place");
    expect(contentsOf(copy.path)).toEqual(harmed);
  });

  test("the header of a single shard comes from --key-len and --value-len, if the records bear them out", async () => {
    using copy = new FixtureCopy("32x1000-1-shard", "leader-clean");
    const sound = readFileSync(copy.file(0));
    copy.poke(copy.file(0), 0, new Uint8Array(4096));
    const harmed = contentsOf(copy.path);
    const run = (...words: string[]) =>
      runWords(repairCommand, [copy.path, "--apply", "--yes", "--json", ...words]);
    expect((await run()).status).toBe(3);
    expect((await run("--key-len", "32")).status).toBe(2);
    expect((await run("--key-len", "31", "--value-len", "1000")).status).toBe(2);
    expect((await run("--key-len", "0", "--value-len", "1000")).status).toBe(2);
    expect(contentsOf(copy.path)).toEqual(harmed);
    expect((await run("--key-len", "32", "--value-len", "1000")).status).toBe(0);
    sound[17] = 0;
    expect(readFileSync(copy.file(0))).toEqual(sound);
  });

  test("what is durable before what: journal, flag, slots; nothing is left unsynced", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    copy.setMeta(1, copy.slotsOf(1, STATUS_OCCUPIED)[2] ?? 0, 3, 1);
    const disk = new FaultDisk();
    const words = [copy.path, "--apply", "--yes"];
    expect((await runWords(repairCommand, words, { disk })).status).toBe(0);
    const changing = disk.changingCalls
      .map((call) => (disk.log[call] ?? "").replaceAll(`${copy.path}/`, ""))
      .map((call) => call.replace(/armdb-undo-\w+/, "armdb-undo"));
    expect(changing).toEqual([
      "create db.lock",
      "truncate db.lock",
      "write db.lock",
      "create armdb-undo.journal",
      "write armdb-undo.journal",
      "write armdb-undo.journal",
      "sync armdb-undo.journal",
      `syncDirectory ${copy.path}`,
      "write shard_001/fixed.data",
      "syncData shard_001/fixed.data",
      "remove shard_001/fixed.versions",
      "syncDirectory shard_001",
      "write shard_001/fixed.data",
      "syncData shard_001/fixed.data",
    ]);
  });

  test("a database that was opened since the plan was made is not written to", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    copy.setMeta(0, copy.slotsOf(0, STATUS_OCCUPIED)[2] ?? 0, 3, 1);
    const before = contentsOf(copy.path);
    const { status } = await runWords(repairCommand, [copy.path, "--apply"], {
      confirm: () => {
        // Another program opens shard 1 and dies.
        copy.poke(copy.file(1), 17, [0]);
        return Promise.resolve(true);
      },
    });
    expect(status).toBe(5);
    copy.poke(copy.file(1), 17, [1]);
    expect(contentsOf(copy.path)).toEqual(before);
    expect(journalsIn(copy.path)).toEqual([]);
  });

  test("--shard and --plan limit what is touched", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    const harm = (shard: number, index: number) => {
      const slot = copy.slotsOf(shard, STATUS_OCCUPIED)[index] ?? 0;
      copy.setSlot(
        shard,
        slot,
        copy.slotBytes(shard, slot).map((byte, at) => (at === 9 ? ~byte : byte)),
      );
      return slot;
    };
    const first = harm(0, 1);
    const report = `${copy.path}/../${copy.path.split("/").at(-1)}-report.json`;
    const verified = await verify(copy);
    const findings = verified.findings.map(findingToJson);
    await Bun.write(report, JSON.stringify({ schema: 1, command: "verify", findings }));
    const second = harm(0, 2);
    const third = harm(1, 1);
    const byPlan = [copy.path, "--plan", report, "--json"];
    const only = await runWords(repairCommand, byPlan);
    expect(only.status).toBe(3);
    expect(only.document["left"]).toMatchObject([
      { shard: 0, slot: second, reason: expect.stringContaining("the report does not name it") },
      { shard: 1, slot: third },
    ]);
    const slotsIn = (document: Record<string, unknown>) =>
      (document["steps"] as { shard: number; slot: number | null }[])
        .filter((step) => step.slot !== null)
        .map((step) => [step.shard, step.slot]);
    expect(slotsIn(only.document)).toEqual([[0, first]]);
    const shard = await runWords(repairCommand, [copy.path, "--shard", "1", "--json"]);
    expect(slotsIn(shard.document)).toEqual([[1, third]]);
    const all = await runWords(repairCommand, [copy.path, "--json"]);
    expect(slotsIn(all.document)).toEqual([
      [0, first],
      [0, second],
      [1, third],
    ]);
    // What the report does not name is left, the first time and every time.
    const applied = await runWords(repairCommand, [...byPlan, "--apply", "--yes"]);
    const again = await runWords(repairCommand, [...byPlan, "--apply", "--yes"]);
    await Bun.file(report).delete();
    expect([applied.status, again.status]).toEqual([3, 3]);
    expect([applied.document["verdict"], again.document["verdict"]]).toEqual([
      ...["incomplete", "incomplete"],
    ]);
  });

  test("off a terminal --apply needs --yes; on one it asks, and no means no", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    const slot = copy.slotsOf(0, STATUS_OCCUPIED)[0] ?? 0;
    copy.setMeta(0, slot, 3, 1);
    const harmed = contentsOf(copy.path);
    expect((await runWords(repairCommand, [copy.path, "--apply"])).status).toBe(2);
    const asked = await runWords(repairCommand, [copy.path, "--apply"], {
      confirm: () => Promise.resolve(false),
    });
    expect(asked.status).toBe(3);
    expect(asked.said.at(-1)).toMatch(/^ask: Carry out/);
    expect(contentsOf(copy.path)).toEqual(harmed);
    const yes = await runWords(repairCommand, [copy.path, "--apply"], {
      confirm: () => Promise.resolve(true),
    });
    expect(yes.status).toBe(0);
  });

  test("a directory that another process holds is refused with 11, before anything is written", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    copy.setMeta(0, copy.slotsOf(0, STATUS_OCCUPIED)[0] ?? 0, 3, 1);
    const lock = realDisk.open(`${copy.path}/db.lock`, "create");
    expect(lock.lock("exclusive")).toBe(true);
    const harmed = contentsOf(copy.path);
    const { status } = await runWords(repairCommand, [copy.path, "--apply", "--yes"]);
    lock.close();
    expect(status).toBe(11);
    expect(contentsOf(copy.path)).toEqual(harmed);
    expect(journalsIn(copy.path)).toEqual([]);
  });
});
