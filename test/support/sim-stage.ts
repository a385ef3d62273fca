// A leader and a follower in simulated time, and the questions that simulations ask of them.

import { expect } from "bun:test";
import { STATUS_OCCUPIED, statusOf } from "../../src/format/slot.ts";
import { viewOf } from "../../src/bytes.ts";
import { ManualClock } from "./manual-clock.ts";
import { type MemoryConnection, MemoryNet } from "./memory-net.ts";
import { RecordingDisk } from "./recording-disk.ts";
import { SIM_DIR, SimFollower, type SimFollowerOptions } from "./sim-follower.ts";
import { type Generation, SimLeader } from "./sim-leader.ts";

const HEADER_BYTES = 4096;

export interface SimStageOptions {
  readonly generation?: Generation;
  readonly shards?: number;
  readonly slots?: number;
  readonly periodMs?: () => number;
  readonly waitsForFrames?: boolean;
  /** Connects that fail do so before anything else happens. */
  readonly failsAtOnce?: boolean;
}

export class SimStage {
  readonly clock = new ManualClock();
  readonly net = new MemoryNet(this.clock);
  disk = new RecordingDisk(() => this.clock.nowMs());
  readonly leader: SimLeader;

  constructor(options: SimStageOptions = {}) {
    const { generation = 3, shards = 1, slots = 1000, failsAtOnce = false } = options;
    this.net.failsAtOnce = failsAtOnce;
    const { net, clock } = this;
    const { periodMs, waitsForFrames = false } = options;
    const made = { net, clock, generation, shards, slots, waitsForFrames };
    this.leader = new SimLeader(periodMs === undefined ? made : { ...made, periodMs });
  }

  /** Starts a follower over the disk as it is. */
  follow(options: Partial<SimFollowerOptions> = {}): SimFollower {
    const { clock, net, disk, leader } = this;
    return new SimFollower({ clock, net, disk, port: leader.port, ...options });
  }

  /** Moves time on until something is so; fails when `limitMs` pass before. Returns how long it took. */
  until(what: string, holds: () => boolean, limitMs: number): number {
    const startedMs = this.clock.nowMs();
    while (!holds()) {
      const nextMs = this.clock.nextTimerMs;
      const passedMs = this.clock.nowMs() - startedMs;
      if (nextMs === null || passedMs + nextMs > limitMs) {
        throw new Error(`not within ${limitMs} ms: ${what}`);
      }
      this.clock.advance(nextMs);
    }
    return this.clock.nowMs() - startedMs;
  }

  /** The open connection of a shard, the youngest. */
  connectionOf(shard: number): MemoryConnection {
    // The first frame is a SyncRequest: 5 bytes of header, then the shard.
    const found = this.connectionOrNone(shard);
    if (found === undefined) throw new Error(`shard ${shard} has no connection`);
    return found;
  }

  connectionOrNone(shard: number): MemoryConnection | undefined {
    return this.net.open.findLast(({ connecting }) => connecting.sends[0]?.[5] === shard);
  }

  /** Slots in which the replica's bytes are not the leader's; DELETED is as good as never written. */
  differences(): string[] {
    const found: string[] = [];
    for (const [shard, { slots }] of this.leader.shards.entries()) {
      const name = String(shard).padStart(3, "0");
      const bytes = this.disk.bytes(`${SIM_DIR}/shard_${name}/fixed.data`);
      if (bytes === null) return ["no files"];
      const { slotSize } = this.leader.layout;
      for (let slot = 0; HEADER_BYTES + (slot + 1) * slotSize <= bytes.length; slot++) {
        const here = bytes.subarray(
          HEADER_BYTES + slot * slotSize,
          HEADER_BYTES + (slot + 1) * slotSize,
        );
        const there = slots.get(slot);
        const live = there !== undefined && statusOf(there.meta) === STATUS_OCCUPIED;
        const word = viewOf(here).getUint32(0, true);
        const same = live
          ? word === there.meta && Buffer.compare(here.subarray(8), there.image.subarray(8)) === 0
          : statusOf(word) !== STATUS_OCCUPIED;
        if (!same) found.push(`${shard}:${slot}`);
      }
    }
    return found;
  }

  expectEqual(): void {
    expect(this.differences()).toEqual([]);
  }
}
