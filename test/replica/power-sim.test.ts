// The power goes at every disk call of a follower's life, in simulated time; of what no sync had covered, any part is left. What was
// called durable is there, or newer, or known to be torn; the next start heals the rest.

import { describe, expect, test } from "bun:test";
import { slotCrc, slotLayout } from "../../src/format/slot.ts";
import { viewOf } from "../../src/bytes.ts";
import type { ShardMessage } from "../../src/replica/shard-messages.ts";
import { Dice } from "../support/dice.ts";
import { wordOf } from "../support/disk-log.ts";
import type { RecordingDisk } from "../support/recording-disk.ts";
import { SIM_DIR } from "../support/sim-follower.ts";
import { SimStage } from "../support/sim-stage.ts";

const SLOTS = 40;
const LAYOUT = slotLayout(8, 16);
const HEADER_BYTES = 4096;
const DATA = `${SIM_DIR}/shard_000/fixed.data`;
const CUTS_PER_CALL = 3;

interface Cut {
  readonly where: string;
  readonly disk: RecordingDisk;
  /** The slots as they were when last everything was called durable; null before. */
  readonly claimed: Uint8Array | null;
}

/** Follows through two processes, the first killed, and cuts the power before each call, several ways each time. */
function cutEverywhere(
  sync: "group" | "batch" | "off",
  seed: number,
): { stage: SimStage; cuts: Cut[] } {
  const stage = new SimStage({ slots: SLOTS });
  for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
  const dice = new Dice(seed);
  const cuts: Cut[] = [];
  let claimed: Uint8Array | null = null;
  stage.disk.faults = (call, index) => {
    for (let cut = 0; cut < CUTS_PER_CALL; cut++) {
      const where = `before call ${index}, ${wordOf(call)}`;
      cuts.push({ where, disk: stage.disk.powerCut(cut === 0 ? null : dice), claimed });
    }
    return null;
  };
  const observe = (report: ShardMessage) => {
    const saysDurable =
      report.kind === "ready" ||
      (report.kind === "snapshot" &&
        report.snapshot.ready &&
        report.snapshot.oldestUnsyncedAtMs === null);
    if (saysDurable) claimed = stage.disk.bytes(DATA)?.slice() ?? null;
  };
  for (const part of [0, 1]) {
    const follower = stage.follow({
      observe,
      settings: { sync },
      syncMs: () => 1 + dice.below(40),
    });
    stage.clock.advance(400);
    for (let write = 0; write < 12; write++) {
      stage.leader.put(0, dice.below(SLOTS), dice.below(1_000_000));
      if (dice.oneIn(4)) stage.leader.remove(0, dice.below(SLOTS));
      stage.clock.advance(dice.below(120));
    }
    if (part === 0) {
      follower.kill();
      stage.disk.killed();
    } else {
      follower.supervisor.stop();
      stage.until("the end", () => follower.ended !== undefined, 10_000);
      expect(follower.ended).toBe(null);
    }
  }
  return { stage, cuts };
}

/** Slots that were claimed and are now older, or gone, without a sign of damage. */
function lost(disk: RecordingDisk, claimed: Uint8Array): number[] {
  const bytes = disk.bytes(DATA) ?? new Uint8Array();
  const slots: number[] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    const at = HEADER_BYTES + slot * LAYOUT.slotSize;
    const before = claimed.slice(at, at + LAYOUT.slotSize);
    const after = bytes.slice(at, at + LAYOUT.slotSize);
    if (after.length < LAYOUT.slotSize) slots.push(slot);
    else if (isTorn(after)) continue;
    else if (viewOf(after).getUint32(0, true) >>> 2 < viewOf(before).getUint32(0, true) >>> 2)
      slots.push(slot);
  }
  return slots;
}

function isTorn(slot: Uint8Array): boolean {
  const view = viewOf(slot);
  return (view.getUint32(0, true) & 3) === 1 && slotCrc(slot, LAYOUT) !== view.getUint32(4, true);
}

describe("a power cut before every disk call", () => {
  for (const sync of ["group", "batch", "off"] as const) {
    test(`loses nothing that was called durable, and heals (--sync ${sync})`, () => {
      let states = 0;
      let claims = 0;
      let torn = 0;
      for (const seed of [1, 2]) {
        const { stage, cuts } = cutEverywhere(sync, seed);
        for (const { where, disk, claimed } of cuts) {
          states++;
          if (claimed !== null) {
            claims++;
            expect({ where, lost: lost(disk, claimed) }).toEqual({ where, lost: [] });
          }
          stage.disk = disk;
          const follower = stage.follow();
          const over = () => follower.ready || follower.ended !== undefined;
          stage.until(`ready again, ${where}`, over, 60_000);
          expect({ where, ended: follower.ended }).toEqual({ where, ended: undefined });
          torn += follower.shard().tornLoaded ?? 0;
          expect({ where, differences: stage.differences() }).toEqual({ where, differences: [] });
          follower.kill();
        }
      }
      expect(states).toBeGreaterThan(500);
      expect(claims).toBeGreaterThan(150);
      // Slots were really torn, found and mended.
      expect(torn).toBeGreaterThan(5);
    }, 120_000);
  }
});
