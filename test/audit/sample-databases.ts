// Copies of the fixtures, which the real crate wrote, to be damaged by tests; and the ways to damage them. Every copy lies
// in a directory of its own that is gone after the test.

import { createHash } from "node:crypto";
import {
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type VerifyOptions,
  type VerifyReport,
  verifyDirectory,
  VERIFY_ALL,
} from "../../src/audit/verify.ts";
import type { Disk } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realClock } from "../../src/io/time.ts";

export const FIXTURES = join(import.meta.dir, "../fixtures");

export const SHAPES = [
  "4x3-3-shards-padded",
  "8x16-2-shards",
  "16x100-4-shards-prefix-12",
  "32x1000-1-shard",
] as const;
export type Shape = (typeof SHAPES)[number];

export const STATES = ["leader-clean", "leader-dirty", "follower-clean"] as const;
export type State = (typeof STATES)[number];

/** A database that may be damaged. `using` removes it. */
export class SampleDatabase implements Disposable {
  readonly path: string;
  readonly #root: string;

  constructor(shape: Shape, state: State) {
    this.#root = mkdtempSync(join(tmpdir(), "armdb-audit-"));
    this.path = join(this.#root, "db");
    cpSync(join(FIXTURES, shape, state), this.path, { recursive: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true, force: true });
  }

  file(name: string): string {
    return join(this.path, name);
  }

  read(name: string): Buffer {
    return readFileSync(this.file(name));
  }

  write(name: string, bytes: Uint8Array | string): void {
    writeFileSync(this.file(name), bytes);
  }

  /** Changes the bytes of a file in place. */
  change(name: string, change: (bytes: Buffer) => void): void {
    const bytes = this.read(name);
    change(bytes);
    this.write(name, bytes);
  }

  flipBit(name: string, offset: number, bit: number): void {
    this.change(name, (bytes) => bytes.writeUInt8(bytes.readUInt8(offset) ^ (1 << bit), offset));
  }

  remove(name: string): void {
    rmSync(this.file(name), { recursive: true });
  }

  /** Everything below the database: names, kinds and contents. */
  digest(): string {
    return digestTree(this.path);
  }
}

/** A hash over all names, kinds and bytes below `path`. */
export function digestTree(path: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(path, { recursive: true, encoding: "utf8" }).sort()) {
    const stats = lstatSync(join(path, name));
    hash.update(`${name}\0${stats.mode}\0`);
    if (stats.isFile()) hash.update(readFileSync(join(path, name)));
  }
  return hash.digest("hex");
}

export interface VerifyOverrides extends Partial<VerifyOptions> {
  readonly disk?: Disk;
  readonly stop?: AbortSignal;
}

/** As the real one, but not the machine's own: no threads, and no search of /proc for writers, which takes most of the time. */
const QUIET_DISK: Disk = { ...realDisk };

/** Verifies with everything on. */
export async function verify(path: string, overrides: VerifyOverrides = {}): Promise<VerifyReport> {
  const { disk = QUIET_DISK, stop = new AbortController().signal, ...options } = overrides;
  return await verifyDirectory(
    path,
    { ...VERIFY_ALL, ...options },
    { disk, clock: realClock, stop, progress: () => {} },
  );
}

/** Findings as `kind shard slot offset`, sorted as reported. */
export function places(report: Pick<VerifyReport, "findings">): string[] {
  return report.findings.map(
    ({ kind, shard, slot, offset }) => `${kind} ${shard} ${slot} ${offset}`,
  );
}
