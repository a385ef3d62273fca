// A repair that dies at any of its disk calls, and an undo that does: either way both work again. And disks that fail.

import { describe, expect, test } from "bun:test";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { DAMAGES } from "./repair-damages.ts";
import { type Fault, FaultDisk, Killed } from "./repair-fault-disk.ts";
import {
  contentsOf,
  FixtureCopy,
  type FixtureState,
  journalsIn,
  runWords,
} from "./repair-support.ts";

const NAME = "8x16-2-shards";

interface Case {
  readonly damage: string;
  readonly state: FixtureState;
  readonly fromDirectory: boolean;
  /** A file that a repair removes last, and that is harmless where it stays. */
  readonly mayLeave?: string;
}

const CASES: readonly Case[] = [
  { damage: "everything at once", state: "follower-clean", fromDirectory: false },
  { damage: "everything at once", state: "leader-clean", fromDirectory: true },
  {
    damage: "the end of a file is cut off in the middle of a slot",
    state: "leader-clean",
    fromDirectory: false,
  },
  { damage: "a shard's directory is missing", state: "follower-clean", fromDirectory: true },
  { damage: "a shard's file ends inside its header", state: "follower-clean", fromDirectory: true },
  {
    damage: "a sidecar knows more than its slot",
    state: "leader-clean",
    fromDirectory: false,
    // With the clean flag cleared it is stale, and nothing is left that a second run would have to mend.
    mayLeave: "shard_000/fixed.versions",
  },
  { damage: "db.meta is too long", state: "leader-clean", fromDirectory: false },
];

class Stage {
  readonly #case: Case;
  readonly source: FixtureCopy;

  constructor(each: Case) {
    this.#case = each;
    this.source = new FixtureCopy(NAME, "leader-clean");
  }

  harmed(): FixtureCopy {
    const copy = new FixtureCopy(NAME, this.#case.state);
    DAMAGES.find(({ name }) => name === this.#case.damage)?.harm(copy);
    return copy;
  }

  repair(copy: FixtureCopy, disk?: FaultDisk) {
    const from = this.#case.fromDirectory ? ["--from", this.source.path] : [];
    const words = [copy.path, "--apply", "--yes", "--json", ...from];
    return runWords(repairCommand, words, disk === undefined ? {} : { disk });
  }

  undo(copy: FixtureCopy, journal: string, disk?: FaultDisk) {
    const words = [copy.path, "--undo", journal];
    return runWords(repairCommand, words, disk === undefined ? {} : { disk });
  }

  [Symbol.dispose](): void {
    this.source[Symbol.dispose]();
  }
}

/** Runs on a disk that dies; returns whether it died. */
async function dies(disk: FaultDisk, run: () => Promise<unknown>): Promise<boolean> {
  try {
    await run();
    return false;
  } catch (thrown) {
    if (thrown instanceof Killed) return true;
    throw thrown;
  } finally {
    disk.release();
  }
}

async function undoAll(stage: Stage, copy: FixtureCopy): Promise<void> {
  for (const journal of journalsIn(copy.path).reverse()) {
    const { status, error } = await stage.undo(copy, journal);
    expect({ status, error: error?.message }).toEqual({ status: 0, error: undefined });
  }
}

/**
 * Numbers of the calls that change something, and one past the last. To die before a call that only reads leaves the
 * same files as to die before the next one that changes them.
 */
async function callsOf(run: (disk: FaultDisk) => Promise<unknown>): Promise<number[]> {
  const disk = new FaultDisk();
  await run(disk);
  const calls = disk.changingCalls;
  return [...calls, (calls.at(-1) ?? 0) + 1];
}

for (const each of CASES) {
  const from = each.fromDirectory ? ", from a directory" : "";
  describe(`${each.damage}, ${each.state}${from}`, () => {
    test("killed at any disk call, the same repair finishes, and undo puts everything back", async () => {
      using stage = new Stage(each);
      using whole = stage.harmed();
      const harmed = contentsOf(whole.path);
      const calls = await callsOf((disk) => stage.repair(whole, disk));
      const repaired = contentsOf(whole.path);
      expect(repaired).not.toEqual(harmed);
      for (const at of calls) {
        using copy = stage.harmed();
        const disk = new FaultDisk({ kind: "kill", at });
        await dies(disk, () => stage.repair(copy, disk));
        const { status } = await stage.repair(copy);
        const contents = contentsOf(copy.path);
        if (each.mayLeave !== undefined) delete contents[each.mayLeave];
        expect({ at, status, contents }).toEqual({ at, status: 0, contents: repaired });
        await undoAll(stage, copy);
        expect({ at, contents: contentsOf(copy.path) }).toEqual({ at, contents: harmed });
      }
    }, 120_000);

    test("killed at any disk call, undo alone puts everything back", async () => {
      using stage = new Stage(each);
      using whole = stage.harmed();
      const harmed = contentsOf(whole.path);
      for (const at of await callsOf((disk) => stage.repair(whole, disk))) {
        using copy = stage.harmed();
        const disk = new FaultDisk({ kind: "kill", at });
        await dies(disk, () => stage.repair(copy, disk));
        await undoAll(stage, copy);
        expect({ at, contents: contentsOf(copy.path) }).toEqual({ at, contents: harmed });
      }
    }, 120_000);

    test("an undo that is killed at any disk call can be run again", async () => {
      using stage = new Stage(each);
      using first = stage.harmed();
      const harmed = contentsOf(first.path);
      await stage.repair(first);
      const [journal = ""] = journalsIn(first.path);
      for (const at of await callsOf((disk) => stage.undo(first, journal, disk))) {
        using copy = stage.harmed();
        await stage.repair(copy);
        const [own = ""] = journalsIn(copy.path);
        const disk = new FaultDisk({ kind: "kill", at });
        await dies(disk, () => stage.undo(copy, own, disk));
        await undoAll(stage, copy);
        expect({ at, contents: contentsOf(copy.path) }).toEqual({ at, contents: harmed });
      }
    }, 120_000);

    test("a disk call that fails is an explained error, and undo puts everything back", async () => {
      using stage = new Stage(each);
      using whole = stage.harmed();
      const harmed = contentsOf(whole.path);
      const counting = new FaultDisk();
      await stage.repair(whole, counting);
      for (const at of counting.changingCalls) {
        using copy = stage.harmed();
        const fault: Fault = { kind: "error", at, errno: "ENOSPC" };
        const disk = new FaultDisk(fault);
        const { status, error } = await stage.repair(copy, disk);
        disk.release();
        // The pid in db.lock is for people only: nothing fails for want of it.
        const isLock = counting.log[at]?.endsWith("db.lock") === true;
        expect([at, isLock && status === 0 ? 14 : status]).toEqual([at, 14]);
        if (error !== null) expect(error.code).toBe("no-space");
        await undoAll(stage, copy);
        expect({ at, contents: contentsOf(copy.path) }).toEqual({ at, contents: harmed });
      }
    }, 120_000);
  });
}
