// Who may be in the way of a repair, and how much one run takes upon itself.

import { describe, expect, test } from "bun:test";
import {
  carryOut,
  prepareRepair,
  type RepairOptions,
  type RepairTools,
} from "../../src/audit/repair/repair.ts";
import { Stopped } from "../../src/audit/stopped.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { CURSOR_FILE } from "../../src/format/cursor.ts";
import { STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { removeDirectory } from "../../src/io/remove-directory.ts";
import { realClock } from "../../src/io/time.ts";
import { Holder } from "../serve/holding.ts";
import { contentsOf, FixtureCopy, journalsIn, runWords } from "./repair-support.ts";

const NAME = "8x16-2-shards";

function tools(stop = new AbortController().signal): RepairTools {
  return {
    disk: realDisk,
    clock: realClock,
    stop,
    removeDirectory,
    progress: () => {},
    warn: () => {},
  };
}

function options(path: string, budgetBytes?: number): RepairOptions {
  return {
    path,
    shard: null,
    reported: null,
    keep: [],
    prefixBits: null,
    lengths: null,
    force: false,
    bytesPerSecond: null,
    openSource: null,
    ...(budgetBytes === undefined ? {} : { budgetBytes }),
  };
}

/** Flips a bit in this many live slots of shard 0. */
function harm(copy: FixtureCopy, count: number): number[] {
  const slots = copy.slotsOf(0, STATUS_OCCUPIED).slice(0, count);
  for (const slot of slots) {
    copy.setSlot(
      0,
      slot,
      copy.slotBytes(0, slot).map((byte, at) => (at === 20 ? byte ^ 1 : byte)),
    );
  }
  return slots;
}

describe("repair", () => {
  for (const mode of ["exclusive", "shared", "writing"] as const) {
    test(`is refused with 11 while another process holds the directory: ${mode}`, async () => {
      using copy = new FixtureCopy(NAME, "follower-clean");
      harm(copy, 1);
      // A reader creates no db.lock: where there is none a shared one cannot be held.
      realDisk.open(`${copy.path}/db.lock`, "create").close();
      await using _ = await Holder.start(mode, copy.path);
      const before = contentsOf(copy.path);
      const words = [copy.path, "--apply", "--yes"];
      expect((await runWords(repairCommand, words)).status).toBe(11);
      expect(contentsOf(copy.path)).toEqual(before);
      expect(journalsIn(copy.path)).toEqual([]);
      // --force is for writers without a lock, never for a lock.
      const forced = await runWords(repairCommand, [...words, "--force"]);
      expect(forced.status).toBe(mode === "writing" ? 0 : 11);
    });
  }

  test("makes its plan while another process reads or writes; only --apply is refused", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    harm(copy, 1);
    await using _ = await Holder.start("exclusive", copy.path);
    expect((await runWords(repairCommand, [copy.path])).status).toBe(3);
  });

  test("takes no more upon itself than it can hold; the same command again does the rest", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    const slots = harm(copy, 10);
    let rest = slots.length;
    for (let runs = 0; rest > 0; runs++) {
      expect(runs).toBeLessThan(5);
      const planned = await prepareRepair(tools(), options(copy.path, 4 * (2 * 32 + 256)));
      expect(planned.plan.truncated).toBe(rest > 4);
      const outcome = await carryOut(tools(), options(copy.path), planned);
      const damage = outcome.report.findings.filter(({ severity }) => severity === "damage");
      rest = Math.max(0, rest - 4);
      expect(damage).toHaveLength(rest);
    }
    const harmed = journalsIn(copy.path).length;
    expect(harmed).toBe(3);
    for (const journal of journalsIn(copy.path).reverse()) {
      expect((await runWords(repairCommand, [copy.path, "--undo", journal])).status).toBe(0);
    }
    const again = await runWords(repairCommand, [copy.path, "--json"]);
    expect(again.document["lostKeys"]).toHaveLength(10);
  });

  test("a cursor does not stay ahead of what a repair takes out", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    const slot = copy.slotsOf(0, STATUS_OCCUPIED)[2] ?? 0;
    copy.rewrite(0, slot, 500, 1);
    copy.poke(copy.file(0, CURSOR_FILE), 12, [500 & 0xff, 500 >> 8]);
    copy.poke(copy.file(0), 17, [0]);
    expect((await runWords(repairCommand, [copy.path])).status).toBe(0);
    copy.setSlot(
      0,
      slot,
      copy.slotBytes(0, slot).map((byte, at) => (at === 20 ? byte ^ 1 : byte)),
    );
    const { status, document } = await runWords(repairCommand, [
      copy.path,
      "--apply",
      "--yes",
      "--json",
    ]);
    expect([status, document["verdict"]]).toEqual([0, "repaired"]);
    const kinds = (document["steps"] as { kind: string }[]).map((step) => step.kind);
    expect(kinds).toContain("cursor");
  });

  test("stopped by a signal before it writes, writes nothing", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    harm(copy, 1);
    const before = contentsOf(copy.path);
    const planned = await prepareRepair(tools(), options(copy.path));
    const stop = new AbortController();
    stop.abort("SIGINT");
    await expect(carryOut(tools(stop.signal), options(copy.path), planned)).rejects.toThrow(
      Stopped,
    );
    const words = [copy.path, "--apply", "--yes"];
    const { status } = await runWords(repairCommand, words, { stop: stop.signal });
    expect(status).toBe(130);
    expect(contentsOf(copy.path)).toEqual(before);
  });

  test("new files take owner and mode of the database's", async () => {
    using copy = new FixtureCopy(NAME, "follower-clean");
    realDisk.own(`${copy.path}/db.meta`, process.getuid?.() ?? 0, process.getgid?.() ?? 0, 0o640);
    for (const shard of [0, 1]) {
      realDisk.own(copy.file(shard), process.getuid?.() ?? 0, process.getgid?.() ?? 0, 0o640);
    }
    realDisk.remove(`${copy.path}/db.meta`);
    expect((await runWords(repairCommand, [copy.path, "--apply", "--yes"])).status).toBe(0);
    expect(realDisk.facts(`${copy.path}/db.meta`)?.mode).toBe(0o640);
    expect(realDisk.facts(journalsIn(copy.path)[0] ?? "")?.mode).toBe(0o600);
  });
});
