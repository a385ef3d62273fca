// Random damage, held against a checker that shares no code with the program (checker.py): both must find the same slots,
// and count the same. Seeded: ARMDB_SEED repeats a run, and each failure names its case.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, truncateSync } from "node:fs";
import { join } from "node:path";
import {
  FIXTURES,
  SampleDatabase,
  type Shape,
  SHAPES,
  STATES,
  type State,
  verify,
} from "./sample-databases.ts";
import { has } from "../support/needs.ts";

const SEED = Number(process.env["ARMDB_SEED"] ?? 20_260_801);
const CASES_PER_DATABASE = 84;
/** 4 shapes x 3 states x 84 = 1008 in all. */
const GEOMETRY: Readonly<
  Record<Shape, readonly [shards: number, bits: number, keyLen: number, valueLen: number]>
> = {
  "4x3-3-shards-padded": [3, 0, 4, 3],
  "8x16-2-shards": [2, 0, 8, 16],
  "16x100-4-shards-prefix-12": [4, 12, 16, 100],
  "32x1000-1-shard": [1, 0, 32, 1000],
};
/** Kinds that are about a slot, which the checker knows too. */
const SLOT_KINDS: ReadonlySet<string> = new Set([
  "slot-crc",
  "slot-status",
  "key-misrouted",
  "key-duplicate",
  "sidecar-hides-slot",
]);

/** mulberry32: the same numbers for the same seed everywhere. */
function dice(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Answer {
  readonly damaged: readonly string[];
  readonly unread: number[];
  readonly counts: number[][];
}

/** The Python checker, one process for all questions. */
class Checker {
  readonly #process = Bun.spawn(["python3", join(import.meta.dir, "checker.py")], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  readonly #answers: AsyncIterator<string>;

  constructor() {
    this.#answers = linesOf(this.#process.stdout);
  }

  async ask(question: string): Promise<string> {
    this.#process.stdin.write(`${question}\n`);
    this.#process.stdin.flush();
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error("the checker ended");
    return value;
  }

  async close(): Promise<void> {
    this.#process.stdin.end();
    await this.#process.exited;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

type Roll = (below: number) => number;
type Damage = (db: SampleDatabase, roll: Roll, shards: number, shape: Shape) => string;

const dataFile = (shard: number) => `shard_00${shard}/fixed.data`;

function flipBits(db: SampleDatabase, roll: Roll, shards: number): string {
  const file = dataFile(roll(shards));
  const bits = 1 + roll(8);
  db.change(file, (bytes) => {
    for (let index = 0; index < bits && bytes.length > 4096; index++) {
      const at = 4096 + roll(bytes.length - 4096);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << roll(8)), at);
    }
  });
  return `${bits} bits flipped in ${file}`;
}

function cut(db: SampleDatabase, roll: Roll, shards: number): string {
  const file = dataFile(roll(shards));
  const length = 4096 + roll(Math.max(1, db.read(file).length - 4096));
  truncateSync(db.file(file), length);
  return `${file} cut to ${length}`;
}

function append(db: SampleDatabase, roll: Roll, shards: number): string {
  const file = dataFile(roll(shards));
  const length = 1 + roll(300);
  const tail =
    roll(2) === 0 ? Buffer.alloc(length) : Buffer.from(Array.from({ length }, () => roll(256)));
  db.write(file, Buffer.concat([db.read(file), tail]));
  return `${length} bytes appended to ${file}`;
}

function zeroPage(db: SampleDatabase, roll: Roll, shards: number): string {
  const file = dataFile(roll(shards));
  // The header of an only shard is the only place that has the geometry.
  const isHeaderSpared = shards === 1 || hasLostHeader(db, shards);
  const pages = Math.ceil(db.read(file).length / 4096);
  const page = isHeaderSpared ? 1 + roll(Math.max(1, pages - 1)) : roll(pages);
  db.change(file, (bytes) =>
    bytes.fill(0, Math.min(page * 4096, bytes.length), Math.min((page + 1) * 4096, bytes.length)),
  );
  return `page ${page} of ${file} zeroed`;
}

function hasLostHeader(db: SampleDatabase, shards: number): boolean {
  return Array.from({ length: shards }, (_, shard) =>
    db.read(dataFile(shard)).subarray(0, 4).toString(),
  ).some((magic) => magic !== "FIXD");
}

function swapFiles(db: SampleDatabase, roll: Roll, shards: number): string {
  if (shards === 1) return flipBits(db, roll, shards);
  const first = roll(shards);
  const second = (first + 1 + roll(shards - 1)) % shards;
  renameSync(db.file(dataFile(first)), db.file("swap"));
  renameSync(db.file(dataFile(second)), db.file(dataFile(first)));
  renameSync(db.file("swap"), db.file(dataFile(second)));
  return `${dataFile(first)} and ${dataFile(second)} swapped`;
}

/** A block as the same file had it at another time. */
function staleBlock(db: SampleDatabase, roll: Roll, shards: number, shape: Shape): string {
  const file = dataFile(roll(shards));
  const other = STATES[roll(STATES.length)] as State;
  const old = readFileSync(join(FIXTURES, shape, other, file));
  let place = 0;
  db.change(file, (bytes) => {
    place =
      4096 + 512 * roll(Math.max(1, Math.floor((Math.min(bytes.length, old.length) - 4096) / 512)));
    old.copy(bytes, place, place, place + 512);
  });
  return `512 bytes at ${place} of ${file} as in ${other}`;
}

const DAMAGES: readonly Damage[] = [flipBits, cut, append, zeroPage, swapFiles, staleBlock];

/** In CI the checker has to be there. */
const hasPython = has("python3") || Boolean(process.env["CI"]);

describe.skipIf(!hasPython)(`random damage, seed ${SEED}`, () => {
  let checker: Checker;
  beforeAll(() => {
    checker = new Checker();
  });
  afterAll(() => checker.close());

  test("the checker hashes as the routing does", async () => {
    for (const length of [1, 2, 3, 4, 5, 8, 9, 12, 16, 17, 32, 33, 64]) {
      const bytes = randomBytes(length);
      expect(await checker.ask(`hash ${bytes.toString("hex")}`)).toBe(
        String(Bun.hash.xxHash3(bytes)),
      );
    }
  });

  for (const shape of SHAPES) {
    for (const state of STATES) {
      test(`of ${shape}/${state} is found as the independent checker finds it`, async () => {
        const [shards] = GEOMETRY[shape];
        for (let index = 0; index < CASES_PER_DATABASE; index++) {
          const roll = dice(
            SEED + index * 7919 + shape.length * 104_729 + state.length * 1_299_709,
          );
          using db = new SampleDatabase(shape, state);
          const done = Array.from({ length: 1 + roll(3) }, () => {
            const damage = DAMAGES[roll(DAMAGES.length)] as Damage;
            return damage(db, roll, shards, shape);
          });
          const report = await verify(db.path);
          const answer: Answer = JSON.parse(
            await checker.ask([db.path, ...GEOMETRY[shape]].join(" ")),
          );
          const followed = report.followed.map(({ finding }) => finding);
          const found = [...report.findings, ...followed]
            .filter(({ kind }) => SLOT_KINDS.has(kind))
            .map(({ kind, shard, slot }) => `${kind} ${shard} ${slot}`);
          expect({
            case: index,
            done,
            damaged: found.sort(),
            unread: report.shards.map(({ unread }) => unread),
            counts: report.shards.map(({ occupied, deleted, free, damaged }) => [
              occupied,
              deleted,
              free,
              damaged,
            ]),
          }).toEqual({ case: index, done, ...answer, damaged: [...answer.damaged] });
        }
      }, 60_000);
    }
  }
});
