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
            await holds(copy, from, what);
          },
          LIMIT_MS,
        );
      }
    });
  }
}

async function holds(copy: FixtureCopy, from: readonly string[], what: string): Promise<void> {
  const harmed = contentsOf(copy.path);
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
