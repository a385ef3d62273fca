// What the tests of compare and repair begin with: copies of recorded directories that go away by themselves, bytes to
// damage them with, and a way to run a command by its words on any disk, net and clock.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nameArguments, readArguments } from "../../src/cli/words/arguments.ts";
import type { Command, Context } from "../../src/cli/command.ts";
import type { Messages, Output, Palette } from "../../src/cli/surface/surface.ts";
import { resolveOptions } from "../../src/cli/words/precedence.ts";
import { createParsedArguments } from "../../src/cli/words/settled.ts";
import { ArmdbError } from "../../src/errors.ts";
import { SHARD_FILE, slotOffset } from "../../src/format/shard-header.ts";
import { shardDirectory } from "../../src/format/routing.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  type SlotLayout,
  type SlotStatus,
  slotLayout,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import type { Disk, DiskFile } from "../../src/io/disk.ts";
import type { Net } from "../../src/io/net.ts";
import type { Clock } from "../../src/io/clock.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realNet } from "../../src/io/sockets.ts";
import { removeDirectory } from "../../src/io/remove-directory.ts";
import { realClock, realRandom } from "../../src/io/time.ts";
import type { RepairOptions, RepairTools } from "../../src/audit/repair/repair.ts";
import { viewOf } from "../../src/bytes.ts";
import { plainMessages, plainOutput } from "../support/plain-output.ts";
import { type FixtureName, type FixtureState, fixtureDirectory } from "../serve/fixtures.ts";
import type { ManualClock } from "../support/manual-clock.ts";

export { FIXTURES, type FixtureName, type FixtureState } from "../serve/fixtures.ts";

export const LAYOUTS: Readonly<Record<FixtureName, SlotLayout>> = {
  "8x16-2-shards": slotLayout(8, 16),
  "4x3-3-shards-padded": slotLayout(4, 3),
  "16x100-4-shards-prefix-12": slotLayout(16, 100),
  "32x1000-1-shard": slotLayout(32, 1000),
};

/** A directory that is removed at the end of its block. */
export class TempDirectory implements Disposable {
  readonly path: string;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), "armdb-audit-"));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A database directory with means to look at its bytes and to damage them. */
export class DatabaseFiles {
  readonly path: string;
  readonly layout: SlotLayout;

  constructor(path: string, layout: SlotLayout) {
    this.path = path;
    this.layout = layout;
  }

  file(shard: number, name: string = SHARD_FILE): string {
    return join(this.path, shardDirectory(shard), name);
  }

  /** Overwrites bytes of a file. */
  poke(path: string, offset: number, bytes: Uint8Array | readonly number[]): void {
    withFile(realDisk, path, (file) => file.write(Uint8Array.from(bytes), offset));
  }

  slotBytes(shard: number, slot: number): Uint8Array {
    const { slotSize } = this.layout;
    const start = slotOffset(slot, slotSize);
    return new Uint8Array(readFileSync(this.file(shard)).subarray(start, start + slotSize));
  }

  setSlot(shard: number, slot: number, bytes: Uint8Array): void {
    this.poke(this.file(shard), slotOffset(slot, this.layout.slotSize), bytes);
  }

  /** Changes the meta word alone. */
  setMeta(shard: number, slot: number, status: SlotStatus, version: number): void {
    const word = new Uint8Array(4);
    viewOf(word).setUint32(0, packMeta(status, version), true);
    this.setSlot(shard, slot, word);
  }

  /** A sound OCCUPIED slot with the key it had. */
  rewrite(shard: number, slot: number, version: number, fill: number): void {
    const before = this.slotBytes(shard, slot);
    const { keyLen, valueLen } = this.layout;
    const image = new Uint8Array(this.layout.slotSize);
    const value = new Uint8Array(valueLen).fill(fill);
    const meta = packMeta(STATUS_OCCUPIED, version);
    encodeOccupiedSlot(image, this.layout, meta, before.subarray(8, 8 + keyLen), value);
    this.setSlot(shard, slot, image);
  }

  /** Numbers of the slots with this status, ascending. */
  slotsOf(shard: number, status: SlotStatus): number[] {
    const bytes = readFileSync(this.file(shard));
    const slots: number[] = [];
    const { slotSize } = this.layout;
    for (let slot = 0; slotOffset(slot + 1, slotSize) <= bytes.length; slot++) {
      if (((bytes[slotOffset(slot, slotSize)] ?? 0) & 3) === status) slots.push(slot);
    }
    return slots;
  }
}

/** A copy of a recorded directory, removed at the end of its block. */
export class FixtureCopy extends DatabaseFiles implements Disposable {
  readonly name: FixtureName;
  readonly #directory: TempDirectory;

  constructor(name: FixtureName, state: FixtureState) {
    const directory = new TempDirectory();
    super(directory.path, LAYOUTS[name]);
    this.name = name;
    this.#directory = directory;
    cpSync(fixtureDirectory(name, state), this.path, { recursive: true });
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

export function withFile<T>(disk: Disk, path: string, run: (file: DiskFile) => T): T {
  const file = disk.open(path, "write");
  try {
    return run(file);
  } finally {
    file.close();
  }
}

/** Every file below a directory with its bytes in hex; `ours` (lock, journals) left out. */
export function contentsOf(root: string): Record<string, string> {
  const contents: Record<string, string> = {};
  const walk = (prefix: string) => {
    for (const name of readdirSync(join(root, prefix)).sort()) {
      const path = prefix === "" ? name : `${prefix}/${name}`;
      const stats = statSync(join(root, path));
      if (stats.isDirectory()) {
        contents[`${path}/`] = "";
        walk(path);
      } else if (name !== "db.lock" && !name.endsWith(".journal")) {
        contents[path] = Bun.SHA256.hash(readFileSync(join(root, path)), "hex");
      }
    }
  };
  walk("");
  return contents;
}

/** Names of the undo journals in a directory, oldest first. */
export function journalsIn(root: string): string[] {
  return readdirSync(root)
    .filter((name) => name.startsWith("armdb-undo-"))
    .sort()
    .map((name) => join(root, name));
}

export interface RunSurroundings {
  readonly disk?: Disk;
  readonly net?: Net;
  readonly clock?: Clock;
  readonly stop?: AbortSignal;
  readonly confirm?: (question: string) => Promise<boolean>;
}

/** What came of a command. */
export interface RunResult {
  readonly status: number;
  /** The last JSON document, when `--json` was among the words. */
  readonly document: Record<string, unknown>;
  readonly lines: readonly string[];
  /** `level: text`, and questions as `ask: text`. */
  readonly said: readonly string[];
  readonly error: ArmdbError | null;
}

const same = (text: string) => text;
const plain: Palette = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same };

/** Runs a command by its words. Errors for people become `error` and their exit status; bugs are thrown. */
export async function runWords(
  command: Command,
  words: readonly string[],
  around: RunSurroundings = {},
): Promise<RunResult> {
  const lines: string[] = [];
  const said: string[] = [];
  const documents: Record<string, unknown>[] = [];
  const context = contextOf(command, words, around, lines, said, documents);
  let status: number;
  let error: ArmdbError | null = null;
  try {
    status = await command.run(context);
  } catch (thrown) {
    if (!(thrown instanceof ArmdbError)) throw thrown;
    error = thrown;
    status = thrown.exitStatus;
  }
  return { status, document: documents.at(-1) ?? {}, lines, said, error };
}

function contextOf(
  command: Command,
  words: readonly string[],
  around: RunSurroundings,
  lines: string[],
  said: string[],
  documents: Record<string, unknown>[],
): Context {
  const given = readArguments(command.spec, words);
  const resolved = resolveOptions(command.spec, given.options, { env: {}, files: [] });
  const args = createParsedArguments(nameArguments(command.spec, given.positionals), resolved);
  const say = (level: string) => (text: string) => void said.push(`${level}: ${text}`);
  const { confirm } = around;
  const messages: Messages = {
    ...plainMessages,
    columns: 100,
    palette: plain,
    debug: say("debug"),
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
    confirm:
      confirm === undefined
        ? null
        : (question) => {
            said.push(`ask: ${question}`);
            return confirm(question);
          },
  };
  const out: Output = {
    isTerminal: false,
    columns: 100,
    palette: plain,
    closed: false,
    ...plainOutput,
    line: (text) => void lines.push(text),
    // Through text and back, as a reader of stdout would have it.
    json: (document) => void documents.push(JSON.parse(JSON.stringify(document))),
  };
  return {
    args,
    out,
    messages,
    disk: around.disk ?? realDisk,
    net: around.net ?? realNet,
    clock: around.clock ?? realClock,
    random: realRandom,
    stop: around.stop ?? new AbortController().signal,
    env: {},
    json: args.flag("json"),
    droppedLines: () => 0,
  };
}

/** Moves a manual clock on until a promise is settled. */
export async function drive<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const settle = () => void (settled = true);
  promise.then(settle, settle);
  for (let turn = 0; !settled; turn++) {
    if (turn > MINUTES_MAX * 60) throw new Error(`not settled after ${MINUTES_MAX} minutes`);
    await clock.advanceAsync(1_000, 50);
    // A turn of the event loop for what waits for one.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return await promise;
}

const MINUTES_MAX = 30;

/** What a repair needs of the machine. */
export function repairTools(stop = new AbortController().signal): RepairTools {
  return {
    disk: realDisk,
    clock: realClock,
    stop,
    removeDirectory,
    progress: () => {},
    warn: () => {},
  };
}

/** Everything, without a source. */
export function repairOptions(path: string, budgetBytes?: number): RepairOptions {
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
