// Where a repair fetches what cannot be rebuilt (`--from`): a leader or a second directory, behind one interface. Used by
// repair/plan/by-source.ts and repair/fill.ts. Reads only. Promises: slots come in ascending order; what the source itself cannot
// vouch for (a bad crc, a key of another shard) is `unsure`, never a record.

import { shellWord } from "../../shell-words.ts";
import { ArmdbError } from "../../errors.ts";
import { SHARD_FILE } from "../../format/shard-header.ts";
import { shardDirectory, shardOfKey } from "../../format/routing.ts";
import {
  decodeSlot,
  STATUS_DELETED,
  STATUS_FREE,
  STATUS_OCCUPIED,
  statusOf,
} from "../../format/slot.ts";
import { type Address, formatAddress } from "../../io/address.ts";
import type { Clock } from "../../io/clock.ts";
import type { Disk } from "../../io/disk.ts";
import type { Net } from "../../io/net.ts";
import type { CopyState } from "../../store/copy-state.ts";
import type { Geometry } from "../../store/geometry.ts";
import { sideStatus } from "../look/side-word.ts";
import { type DatabaseDirectory, readDirectory } from "../look/database-look.ts";
import { type LeaderScanOptions, scanLeader } from "../leader/receiver.ts";
import { tryDisk } from "../look/file-look.ts";
import { SlotReader, WINDOW_BYTES_SEQUENTIAL } from "../look/slot-reader.ts";
import type { Task } from "../task.ts";

/** One shard of the source, before its slots. */
export interface SourceInfo {
  readonly geometry: Geometry;
  readonly slotCount: number;
}

/** Takes a shard of the source. What it throws ends the scan and comes out of `scan` as it is. */
export interface SourceReceiver {
  /** Once, before any slot: refuse another geometry here. */
  begin(info: SourceInfo): void;
  /** Slots that are not told of hold nothing. `there` is valid during the call only. */
  slot(slot: number, there: SlotThere): void;
  /** All slots below this one have been told of: the receiver does its own work in small steps. Returns bytes that it read. */
  passed?(slot: number): number;
}

/** What the source has. */
export type SlotThere =
  | {
      readonly kind: "occupied";
      readonly meta: number;
      readonly key: Uint8Array;
      readonly value: Uint8Array;
    }
  | { readonly kind: "deleted"; readonly meta: number }
  | { readonly kind: "nothing" }
  | { readonly kind: "unsure" };

export interface RepairSource {
  /** For messages: `leader db1:7400`, `"./backup"`. */
  readonly name: string;
  /** What its database is. A leader tells it at the beginning of a scan, which is given up then. */
  geometry(task: Task): Promise<Geometry | null>;
  /** Reads of a directory pay the throttle of the task, and hear its stop. */
  scan(shard: number, receiver: SourceReceiver, task: Task): Promise<void>;
}

/** Thrown by ourselves to end a scan once the geometry is known. */
class GeometrySeen extends Error {
  geometry: Geometry | null = null;
}

/** A leader; each scan is one connection. */
export function leaderSource(
  net: Net,
  clock: Clock,
  leader: Address,
  options: Pick<LeaderScanOptions, "protocol" | "stop" | "bytesPerSecond" | "timeoutMs">,
): RepairSource {
  const name = `leader ${formatAddress(leader)}`;
  return {
    name,
    async geometry(task) {
      const seen = new GeometrySeen();
      const receiver: SourceReceiver = {
        begin({ geometry }) {
          seen.geometry = geometry;
          throw seen;
        },
        slot() {},
      };
      try {
        await this.scan(0, receiver, task);
      } catch (thrown) {
        if (thrown !== seen) throw thrown;
      }
      return seen.geometry;
    },
    async scan(shard, receiver, task) {
      let geometry: Geometry | null = null;
      let passed = 0;
      await scanLeader(
        net,
        clock,
        { ...options, leader, shard },
        {
          begin(info) {
            const { shardCount, shardPrefixBits, keyLen, valueLen, slotCount } = info;
            geometry = { shardCount, shardPrefixBits, keyLen, valueLen };
            receiver.begin({ geometry, slotCount });
          },
          async reach(end) {
            for (; passed < end; passed += SLOTS_PER_BREATH) {
              await task.pay(receiver.passed?.(passed) ?? 0);
              await task.breathe();
            }
          },
          event({ slot, meta, key, value }) {
            if (geometry === null) return;
            passed = slot;
            receiver.slot(slot, thereOf(meta, key, value, shard, geometry));
          },
        },
      );
    },
  };
}

/** A slot as the source tells it. A reset (protocol 2) means that the leader itself cannot read its slot. */
function thereOf(
  meta: number,
  key: Uint8Array,
  value: Uint8Array,
  shard: number,
  { shardCount, shardPrefixBits }: Geometry,
): SlotThere {
  switch (statusOf(meta)) {
    case STATUS_OCCUPIED:
      if (shardOfKey(key, shardCount, shardPrefixBits) !== shard) return { kind: "unsure" };
      return { kind: "occupied", meta, key, value };
    case STATUS_DELETED:
      return { kind: "deleted", meta };
    default:
      return { kind: "unsure" };
  }
}

/**
 * A second directory. Throws as readDirectory does, `unknown` when its geometry is not certain, and what `look` throws
 * at what its state file says.
 */
export function directorySource(
  disk: Disk,
  path: string,
  look: (copy: CopyState) => void,
): RepairSource {
  const directory = readDirectory(disk, path);
  const geometry = geometryOf(directory);
  look(directory.copy);
  return {
    name: `"${path}"`,
    geometry: () => Promise.resolve(geometry),
    // async: what it throws comes out as a rejection, as from a leader.
    async scan(shard, receiver, task) {
      const reader = openShard(disk, directory, geometry, shard);
      try {
        receiver.begin({ geometry, slotCount: reader.slotCount });
        for (let slot = 0; slot < reader.slotCount; slot++) {
          if (slot % SLOTS_PER_BREATH === 0) {
            const bytes = receiver.passed?.(slot) ?? 0;
            await task.pay(bytes + reader.takeReadBytes());
            await task.breathe();
          }
          const [bytes, error] = tryDisk(() => reader.slot(slot));
          if (error !== null) {
            receiver.slot(slot, { kind: "unsure" });
            continue;
          }
          if (bytes === null || statusOf(bytes[0] ?? 0) === STATUS_FREE) continue;
          const judged = reader.judged(slot);
          if (judged.bytes === null || sideStatus(judged.word) === "damaged") {
            receiver.slot(slot, { kind: "unsure" });
          } else {
            const { meta, key, value } = decodeSlot(judged.bytes, reader.layout);
            receiver.slot(slot, thereOf(meta, key, value, shard, geometry));
          }
        }
      } finally {
        reader.close();
      }
    },
  };
}

const SLOTS_PER_BREATH = 4096;

function geometryOf({ path, layout, routing }: DatabaseDirectory): Geometry {
  if (layout === null || !routing.bitsKnown) {
    throw new ArmdbError("unknown", `Cannot repair from "${path}": it is damaged itself`, {
      path,
      hint: `armdb verify ${shellWord(path)}`,
    });
  }
  const { shardCount, shardPrefixBits } = routing;
  return { shardCount, shardPrefixBits, keyLen: layout.keyLen, valueLen: layout.valueLen };
}

function openShard(
  disk: Disk,
  directory: DatabaseDirectory,
  geometry: Geometry,
  shard: number,
): SlotReader {
  const { keyLen, valueLen } = geometry;
  const path = `${directory.path}/${shardDirectory(shard)}/${SHARD_FILE}`;
  const layout = { keyLen, valueLen, slotSize: directory.layout?.slotSize ?? 0 };
  const reader = SlotReader.open(disk, path, shard, layout, WINDOW_BYTES_SEQUENTIAL);
  if (reader !== null) return reader;
  throw new ArmdbError("unknown", `Cannot repair from "${path}": its header is damaged`, {
    path,
    shard,
    hint: `armdb verify ${shellWord(directory.path)}`,
  });
}
