// Leaders of ours for the crate's followers: over a directory or a changing store, on a real port; and what spoils slots.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SampleStore } from "../../scripts/sample/sample-store.ts";
import { shardDirectory } from "../../src/format/routing.ts";
import { decodeShardHeader, slotOffset } from "../../src/format/shard-header.ts";
import { STATUS_OCCUPIED, statusOf } from "../../src/format/slot.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock } from "../../src/io/time.ts";
import { NO_LIVE_EVENTS, type LiveSource } from "../../src/serve/live-source.ts";
import type { FollowerReport } from "../../src/serve/report.ts";
import { type ServedDatabase, ServedDirectory } from "../../src/serve/served-database.ts";
import { LeaderServer } from "../../src/serve/server.ts";
import { digestOf } from "../support/oracle.ts";
import { seededBytes } from "./memory-database.ts";

/** A leader of ours on a free port, until it is disposed of. */
export class Serving implements AsyncDisposable {
  readonly #server: LeaderServer;
  readonly #close: () => void;
  readonly reports: FollowerReport[] = [];

  constructor(database: ServedDatabase, live: LiveSource, close: () => void, port = 0) {
    const report = (one: FollowerReport) => void this.reports.push(one);
    const options = { net: realNet, clock: realClock, database, live, report };
    this.#server = LeaderServer.start(options, "127.0.0.1", port);
    this.#close = close;
  }

  static at(dir: string, port = 0): Serving {
    const directory = ServedDirectory.open(realDisk, dir);
    return new Serving(directory, NO_LIVE_EVENTS, () => directory.close(), port);
  }

  get address(): string {
    return this.#server.at;
  }

  get port(): number {
    return this.#server.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
    this.#close();
  }
}

/** Changes a store and remembers what it must hold. */
export class Model {
  readonly #store: SampleStore;
  readonly #records = new Map<number, Uint8Array>();

  constructor(store: SampleStore) {
    this.#store = store;
  }

  /** Four puts and one delete in five. */
  churn(changes: number, seed: number): void {
    const { keyLen, valueLen } = this.#store.layout;
    for (let change = 0; change < changes; change++) {
      const number = (change * 7919 + seed * 104_729) % 1_500;
      const key = seededBytes(keyLen, number);
      if (change % 5 === 0) {
        this.#store.delete(key);
        this.#records.delete(number);
      } else {
        const value = seededBytes(valueLen, seed * 100_000 + change);
        this.#store.put(key, value);
        this.#records.set(number, value);
      }
    }
  }

  digest() {
    const { keyLen } = this.#store.layout;
    return digestOf(
      [...this.#records].map(([number, value]) => [seededBytes(keyLen, number), value] as const),
    );
  }
}

/** Spoils the value of that many OCCUPIED slots of shard 0, as torn writes do, and leaves the directory dirty. */
export function tearSlots(dir: string, count: number): number {
  const path = join(dir, shardDirectory(0), "fixed.data");
  const bytes = readFileSync(path);
  const header = decodeShardHeader(bytes);
  if (header === null) throw new Error("no header");
  let torn = 0;
  for (let slot = 0; slot < header.slotCount && torn < count; slot += 7) {
    const offset = slotOffset(slot, header.slotSize);
    if (statusOf(bytes.readUInt32LE(offset)) !== STATUS_OCCUPIED) continue;
    const place = offset + 8 + header.keyLen;
    bytes[place] = (bytes[place] ?? 0) ^ 0x5a;
    torn++;
  }
  bytes[17] = 0;
  writeFileSync(path, bytes);
  rmSync(join(dir, shardDirectory(0), "fixed.versions"), { force: true });
  return torn;
}
