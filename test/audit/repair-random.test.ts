// Repairs of random damage. Whatever it was: the plan writes nothing; the verdict is verify's; once more changes nothing; undo
// puts every byte back. From a source no damage is left. Seeded: ARMDB_SEED repeats a run, each failure names its case.

import { describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { CURSOR_FILE } from "../../src/format/cursor.ts";
import { decodeShardHeader, shardHeaderFault, slotOffset } from "../../src/format/shard-header.ts";
import { isNewer, isSlotSound, versionOf } from "../../src/format/slot.ts";
import { SIDECAR_FILE } from "../../src/format/versions-sidecar.ts";
import { sidecarFault, sidecarWord } from "../support/sidecar.ts";
import { Dice } from "../support/dice.ts";
import { contentsOf, FixtureCopy, FIXTURES, journalsIn, runWords } from "./repair-support.ts";

const SEED = Number(process.env["ARMDB_SEED"] ?? 20_260_801);
const CASES = Number(process.env["ARMDB_REPAIR_CASES"] ?? 12);
/** Long, for machines that do much else. */
const LIMIT_MS = 60_000;
const STATES = ["leader-clean", "leader-dirty", "follower-clean"] as const;

type Harm = (copy: FixtureCopy, dice: Dice, shards: number) => string;

/** Changes the bytes of a file that is there. */
function change(path: string, run: (bytes: Buffer) => Buffer): void {
  if (existsSync(path)) writeFileSync(path, run(readFileSync(path)));
}

function anyFile(copy: FixtureCopy, dice: Dice, shards: number): string {
  const shard = dice.below(shards);
  const name = dice.pick([
    "fixed.data",
    "fixed.data",
    "fixed.data",
    "fixed.versions",
    "fixed_repl.cursor",
  ]);
  return dice.oneIn(8) ? join(copy.path, "db.meta") : copy.file(shard, name);
}

const HARMS: Readonly<Record<string, Harm>> = {
  flip(copy, dice, shards) {
    const path = anyFile(copy, dice, shards);
    const flips = 1 + dice.below(8);
    change(path, (bytes) => {
      for (let index = 0; index < flips && bytes.length > 0; index++) {
        // Half of them in the header, where few bytes mean much.
        const at = dice.below(dice.oneIn(2) ? Math.min(bytes.length, 20) : bytes.length);
        bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << dice.below(8)), at);
      }
      return bytes;
    });
    return `${flips} flips in ${path}`;
  },
  cut(copy, dice, shards) {
    const path = anyFile(copy, dice, shards);
    if (!existsSync(path)) return "nothing";
    const bytes = dice.below(readFileSync(path).length + 1);
    truncateSync(path, bytes);
    return `${path} cut to ${bytes}`;
  },
  append(copy, dice, shards) {
    const path = anyFile(copy, dice, shards);
    const tail = Buffer.from(Array.from({ length: dice.below(400) }, () => dice.below(256)));
    change(path, (bytes) => Buffer.concat([bytes, tail]));
    return `${tail.length} bytes after ${path}`;
  },
  zeroPage(copy, dice, shards) {
    const path = copy.file(dice.below(shards));
    let page = 0;
    change(path, (bytes) => {
      page = dice.below(Math.ceil(bytes.length / 4096) + 1);
      return bytes.fill(
        0,
        Math.min(bytes.length, page * 4096),
        Math.min(bytes.length, page * 4096 + 4096),
      );
    });
    return `page ${page} of ${path} zeroed`;
  },
  remove(copy, dice, shards) {
    const path = anyFile(copy, dice, shards);
    rmSync(path, { force: true });
    return `${path} removed`;
  },
  removeShard(copy, dice, shards) {
    const path = join(copy.path, `shard_00${dice.below(shards)}`);
    rmSync(path, { recursive: true, force: true });
    return `${path} removed`;
  },
  copySlot(copy, dice, shards) {
    const { slotSize } = copy.layout;
    const [from, to] = [copy.file(dice.below(shards)), copy.file(dice.below(shards))];
    const [source, target] = [4096 + dice.below(40) * slotSize, 4096 + dice.below(40) * slotSize];
    if (!existsSync(from)) return "nothing";
    const bytes = readFileSync(from).subarray(source, source + slotSize);
    change(to, (all) =>
      Buffer.concat([all.subarray(0, target), bytes, all.subarray(target + bytes.length)]),
    );
    return `slot at ${source} of ${from} copied to ${target} of ${to}`;
  },
  swap(copy, dice, shards) {
    const [left, right] = [copy.file(dice.below(shards)), copy.file(dice.below(shards))];
    if (!existsSync(left) || !existsSync(right)) return "nothing";
    copyFileSync(left, `${copy.path}/kept`);
    copyFileSync(right, left);
    copyFileSync(`${copy.path}/kept`, right);
    rmSync(`${copy.path}/kept`);
    return `${left} and ${right} swapped`;
  },
};

async function json(words: readonly string[]) {
  const { status, document, error } = await runWords(repairCommand, [...words, "--json"]);
  return { status, verdict: document["verdict"] ?? null, document, error };
}

function expectedStatuses(verdict: unknown): readonly number[] {
  switch (verdict) {
    case "nothing-to-do":
    case "repaired":
      return [0];
    case "planned":
      return [3];
    case "incomplete":
      return [3, 5];
    default:
      return [];
  }
}

for (const name of FIXTURES) {
  const shards = {
    "8x16-2-shards": 2,
    "4x3-3-shards-padded": 3,
    "16x100-4-shards-prefix-12": 4,
    "32x1000-1-shard": 1,
  }[name];
  for (const state of STATES) {
    describe(`repair of random damage: ${name}, ${state}`, () => {
      for (let index = 0; index < CASES; index++) {
        const seed = SEED + index * 7919;
        test(
          `case ${index}`,
          async () => {
            const dice = new Dice(seed);
            using copy = new FixtureCopy(name, state);
            using source = new FixtureCopy(name, "leader-clean");
            const done: string[] = [];
            for (let harms = 1 + dice.below(3); harms > 0; harms--) {
              done.push(HARMS[dice.pick(Object.keys(HARMS))]?.(copy, dice, shards) ?? "");
            }
            const what = `seed ${seed}: ${done.join("; ")}`.replaceAll(`${copy.path}/`, "");
            const from = dice.oneIn(2) ? ["--from", source.path] : [];
            await holds(copy, shards, from, what);
          },
          LIMIT_MS,
        );
      }
    });
  }
}

/**
 * The version that each slot of a shard must keep: that of its own word where the slot is sound, and of its word in a sidecar that
 * the crate would use. By `shard/slot`; of a replica none, as its next scan brings what it lost.
 */
function versionsKept(copy: FixtureCopy, shards: number): Map<string, number> {
  const kept = new Map<string, number>();
  for (let shard = 0; shard < shards; shard++) {
    if (existsSync(copy.file(shard, CURSOR_FILE))) return new Map();
    if (!existsSync(copy.file(shard))) continue;
    const bytes = readFileSync(copy.file(shard));
    const { slotSize } = copy.layout;
    const note = (slot: number, version: number) => {
      const known = kept.get(`${shard}/${slot}`);
      if (known === undefined || isNewer(version, known)) kept.set(`${shard}/${slot}`, version);
    };
    for (let slot = 0; slotOffset(slot + 1, slotSize) <= bytes.length; slot++) {
      const image = bytes.subarray(slotOffset(slot, slotSize), slotOffset(slot + 1, slotSize));
      if (isSlotSound(image, copy.layout)) note(slot, versionOf(image.readUInt32LE(0)));
    }
    const header = decodeShardHeader(bytes);
    const sidecar = copy.file(shard, SIDECAR_FILE);
    const isUsed =
      header !== null && shardHeaderFault(header) === null && header.cleanShutdown === 1;
    if (!isUsed || header.slotSize !== slotSize || !existsSync(sidecar)) continue;
    const words = readFileSync(sidecar);
    if (sidecarFault(words, header.slotCount) !== null) continue;
    for (let slot = 0; slot < header.slotCount; slot++)
      note(slot, versionOf(sidecarWord(words, slot)));
  }
  return kept;
}

/** What of these is behind now. Slots past the end of a file are as they were: not there. */
function setBack(copy: FixtureCopy, kept: ReadonlyMap<string, number>): string[] {
  return [...kept].flatMap(([place, version]) => {
    const [shard = 0, slot = 0] = place.split("/").map(Number);
    const bytes = existsSync(copy.file(shard)) ? readFileSync(copy.file(shard)) : Buffer.alloc(0);
    const at = slotOffset(slot, copy.layout.slotSize);
    if (at + copy.layout.slotSize > bytes.length) return [];
    const now = versionOf(bytes.readUInt32LE(at));
    return isNewer(version, now) ? [`${place} had ${version}, has ${now}`] : [];
  });
}

async function holds(
  copy: FixtureCopy,
  shards: number,
  from: readonly string[],
  what: string,
): Promise<void> {
  const harmed = contentsOf(copy.path);
  const kept = versionsKept(copy, shards);
  const is = (value: unknown) => ({ what, value });
  const planned = await json([copy.path, ...from]);
  expect(is(contentsOf(copy.path))).toEqual(is(harmed));
  if (planned.error !== null) {
    // Nothing here is a database any more, or the last header is gone and the source was asked for what it is not.
    expect(is([1, 3, 5, 10, 13].includes(planned.status))).toEqual(is(planned.status !== 1));
    return;
  }
  expect(is(expectedStatuses(planned.verdict))).toEqual(
    is(expect.arrayContaining([planned.status])),
  );
  const applied = await json([copy.path, ...from, "--apply", "--yes"]);
  expect(is(expectedStatuses(applied.verdict))).toEqual(
    is(expect.arrayContaining([applied.status])),
  );
  if (planned.verdict === "planned" && planned.document["left"]?.toString() === "") {
    // What shows only when something else is mended, such as a cursor ahead of a file that was fetched, is for a second run.
    const again = () => json([copy.path, ...from, "--apply", "--yes"]);
    const last = applied.verdict === "repaired" ? applied : await again();
    // That a shard is gone may only be known once db.meta is there again.
    const remaining = last.document["remaining"] as { readonly kind: string }[];
    const isForeseen = remaining.every(({ kind }) => kind === "shard-missing");
    expect(is([last.verdict, isForeseen])).toEqual(is([expect.any(String), true]));
  }
  const mended = contentsOf(copy.path);
  // A sidecar that stays still says it.
  const stays = existsSync(copy.path) ? versionsKept(copy, shards) : new Map<string, number>();
  const behind = setBack(copy, kept).filter((text) => {
    const place = text.split(" ")[0] ?? "";
    return stays.get(place) === undefined || stays.get(place) !== kept.get(place);
  });
  expect(is(behind)).toEqual(is([]));
  if (applied.verdict === "repaired") {
    expect(is((await json([copy.path, ...from, "--apply", "--yes"])).verdict)).toEqual(
      is("nothing-to-do"),
    );
    expect(is(contentsOf(copy.path))).toEqual(is(mended));
  }
  for (const journal of journalsIn(copy.path).reverse()) {
    const undone = await json([copy.path, "--undo", journal]);
    expect(is([undone.status, undone.error?.message])).toEqual(is([0, undefined]));
  }
  expect(is(contentsOf(copy.path))).toEqual(is(harmed));
}
