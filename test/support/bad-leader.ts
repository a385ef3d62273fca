// Leaders that are wrong in one way each, on a real socket, for the tests of what replicate does about them; and a replica
// that was made beforehand, to see that it stays as it was.

import type { SlotLayout } from "../../src/format/slot.ts";
import { packMeta, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { shardOfKey } from "../../src/format/routing.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock } from "../../src/io/time.ts";
import type { ShardInfo } from "../../src/wire/messages.ts";
import {
  type BadInput,
  badScript,
  goodScript,
  type GoodLeader,
  scriptedSlot,
  type ScriptedSlot,
} from "./leader-scripts.ts";
import { ScriptedLeader, type Script } from "./scripted-leader.ts";
import { treeOf } from "./temp.ts";

export const BAD_LEADER_INFO: ShardInfo = {
  shardCount: 2,
  keyLen: 8,
  valueLen: 16,
  slotSize: 32,
  slotCount: 100,
  shardPrefixBits: 0,
};

/** A leader on a free port of 127.0.0.1 that plays this script to everybody. */
export class RealScriptedLeader implements Disposable {
  readonly #leader: ScriptedLeader;

  constructor(script: Script, port = 0) {
    this.#leader = new ScriptedLeader(realNet, realClock, () => script, port);
  }

  static bad(bad: BadInput, info: ShardInfo = BAD_LEADER_INFO): RealScriptedLeader {
    return new RealScriptedLeader(badScript(bad, info));
  }

  /** Twenty records, one slot deleted. */
  static good(info: ShardInfo = BAD_LEADER_INFO, port = 0): RealScriptedLeader {
    return new RealScriptedLeader(goodScript(goodLeader(info)), port);
  }

  get address(): string {
    return this.#leader.address;
  }

  get port(): number {
    return this.#leader.port;
  }

  /** Connections that were made. */
  get connections(): number {
    return this.#leader.peers.length;
  }

  [Symbol.dispose](): void {
    this.#leader.stop();
  }
}

const RECORDS = 20;

export function goodLeader(info: ShardInfo): GoodLeader {
  const layout = slotLayout(info.keyLen, info.valueLen);
  const shards = Array.from({ length: info.shardCount }, (): ScriptedSlot[] => []);
  for (let record = 0; record < RECORDS; record++) {
    const key = Buffer.alloc(info.keyLen);
    key.writeUInt32BE(record);
    const shard = shardOfKey(key, info.shardCount, info.shardPrefixBits);
    const slots = shards[shard] as ScriptedSlot[];
    slots.push(recordSlot(slots.length, layout, key, record));
  }
  return { info, protocol: 2, slots: (shard) => shards[shard] ?? [] };
}

function recordSlot(slot: number, layout: SlotLayout, key: Uint8Array, seed: number): ScriptedSlot {
  const value = new Uint8Array(layout.valueLen).fill(seed);
  return scriptedSlot(slot, packMeta(STATUS_OCCUPIED, 1), layout, key, value);
}

/** The names that a follower may change in a directory without touching its data: its lock and its own notes. */
const OWN_NOTES = new Set(["db.lock", "armdb.state.json"]);

/** `treeOf` without the follower's own notes; null where there is nothing. */
export function dataTreeOf(dir: string): Readonly<Record<string, string>> | null {
  const tree = treeOf(dir);
  if (tree === null) return null;
  return Object.fromEntries(Object.entries(tree).filter(([name]) => !OWN_NOTES.has(name)));
}
