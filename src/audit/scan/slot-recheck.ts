// A second look at slots that look bad: a writer may have been in the middle of them, memory or disk may have erred.
// Used by scan/shard.ts on each chunk. Promises: only what reads the same bad bytes again is left as damage.

import { equalBytes } from "../../bytes.ts";
import { slotOffset } from "../../format/shard-header.ts";
import type { Clock } from "../../io/clock.ts";
import type { DiskFile } from "../../io/disk.ts";
import { tryDisk } from "../look/file-look.ts";
import { pause } from "./pacing.ts";
import type { ScanTask } from "./data.ts";
import { SLOT_SUSPECT, SlotChecker } from "./slot-check.ts";

/** Pauses between looks where a writer is known or seen, ms. The first look is at once. */
export const RECHECK_PAUSES_MS = [5, 10, 20, 40, 80] as const;

interface RecheckTools {
  readonly task: ScanTask;
  readonly file: DiskFile;
  readonly clock: Clock;
}

/**
 * Reads the suspect slots of a checked chunk again and puts right what was right the second time: bytes, facts and
 * counts. True when any of them had changed.
 */
export async function recheckSlots(
  tools: RecheckTools,
  checker: SlotChecker,
  first: number,
  slots: number,
): Promise<boolean> {
  const single = new SlotChecker(tools.task.layout, tools.task.routing, 1);
  let suspects: number[] = [];
  for (let index = 0; index < slots; index++) {
    if (((checker.facts[index] as number) & SLOT_SUSPECT) !== 0) suspects.push(index);
  }
  let hasChanged = false;
  const look = () => {
    const [left, changed] = lookAgain(tools, checker, single, first, suspects);
    suspects = left;
    hasChanged ||= changed;
  };
  look();
  for (const pauseMs of RECHECK_PAUSES_MS) {
    if (suspects.length === 0 || !(tools.task.isLive || hasChanged)) break;
    await pause(tools.clock, pauseMs);
    look();
  }
  return hasChanged;
}

function lookAgain(
  { task, file }: RecheckTools,
  checker: SlotChecker,
  single: SlotChecker,
  first: number,
  suspects: readonly number[],
): [left: number[], changed: boolean] {
  const left: number[] = [];
  let changed = false;
  for (const index of suspects) {
    const offset = slotOffset(first + index, task.layout.slotSize);
    const [got] = tryDisk(() => file.read(single.chunk, offset));
    const before = checker.slotAt(index);
    if (got === single.chunk.length && !equalBytes(single.chunk, before)) {
      changed = true;
      replaceSlot(checker, single, index);
    }
    if (((checker.facts[index] as number) & SLOT_SUSPECT) !== 0) left.push(index);
  }
  return [left, changed];
}

function replaceSlot(checker: SlotChecker, single: SlotChecker, index: number): void {
  checker.uncount(checker.facts[index] as number, checker.metaAt(index));
  single.check(1);
  checker.slotAt(index).set(single.chunk);
  checker.facts[index] = single.facts[0] as number;
  checker.fingerprints[index] = single.fingerprints[0] as bigint;
  checker.recount(checker.facts[index] as number, checker.metaAt(index));
}
