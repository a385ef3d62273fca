// The phases of a follower in which it can be told to stop, each held by a leader by script for as long as it takes: used by the
// stop tables.

import {
  encodeCaughtUp,
  encodeHeartbeat,
  encodeShardInfo,
  type ShardInfo,
} from "../../src/wire/messages.ts";
import { versionMismatchText, encodeErrorFrame } from "../../src/wire/messages.ts";
import { Armdb } from "./armdb.ts";
import { RealScriptedLeader } from "./bad-leader.ts";
import { batchFrame } from "./leader-scripts.ts";
import type { Script } from "./scripted-leader.ts";

/** How far a connection of a shard comes; the questions of no shard are answered from `streaming` on. */
type Reach = "nothing" | "shard-info" | "batch" | "caught-up" | "streaming" | "streaming-once";

export interface StopPhase {
  readonly name: string;
  readonly reach: Reach | "refused";
  /** What the shards' state is then. */
  readonly state: string;
  /** Another command that is under way, by the follower's directory. */
  readonly beside?: (dir: string, leader: string) => readonly string[];
}

/** Nobody listens there. */
const NO_LEADER = "127.0.0.1:1";
const HEARTBEAT_MS = 5_000;

export const STOP_PHASES: readonly StopPhase[] = [
  { name: "before an answer", reach: "nothing", state: "connecting" },
  { name: "waiting for its next try", reach: "refused", state: "waiting" },
  { name: "before the first slot", reach: "shard-info", state: "scanning" },
  { name: "in the middle of a scan", reach: "batch", state: "scanning" },
  { name: "before anybody vouched for the scan", reach: "caught-up", state: "scanning" },
  { name: "live", reach: "streaming", state: "live" },
  {
    name: "comparing",
    reach: "streaming-once",
    state: "live",
    beside: (dir, leader) => ["compare", dir, leader, "--json"],
  },
];

function scriptOf(phase: Reach, info: ShardInfo): Script {
  const streamed = new Set<number>();
  return function* (peer) {
    const { protocolVersion, shardId } = yield* peer.request();
    const isSecond = streamed.has(shardId);
    const later = isSecond ? "batch" : "streaming";
    const reach = phase === "streaming-once" ? later : phase;
    if (reach === "nothing") yield* peer.untilEnd();
    if (protocolVersion !== 2) {
      if (reach !== "streaming") yield* peer.untilEnd();
      peer.send(encodeErrorFrame(versionMismatchText(2, protocolVersion)));
      return peer.close();
    }
    streamed.add(shardId);
    peer.send(encodeShardInfo(info));
    if (reach === "shard-info") yield* peer.untilEnd();
    peer.send(batchFrame(shardId, info, []));
    yield* peer.ack();
    if (reach === "batch") yield* peer.untilEnd();
    peer.send(encodeCaughtUp({ shardId, totalScanned: 0n }));
    while (peer.ended === null && reach === "streaming") {
      yield* peer.pause(HEARTBEAT_MS);
      peer.send(encodeHeartbeat());
    }
    yield* peer.untilEnd();
  };
}

/** A leader that holds its followers in this phase. */
export class PhaseLeader implements Disposable {
  readonly #leader: RealScriptedLeader | null;

  constructor({ reach }: Pick<StopPhase, "reach">, info: ShardInfo) {
    this.#leader = reach === "refused" ? null : new RealScriptedLeader(scriptOf(reach, info));
  }

  get address(): string {
    return this.#leader?.address ?? NO_LEADER;
  }

  [Symbol.dispose](): void {
    this.#leader?.[Symbol.dispose]();
  }
}

/** Waits until every one of so many shards has come to the phase; of many some may have left it again by then, not the last. */
export async function inPhase(
  follower: Armdb,
  { state }: StopPhase,
  shards: number,
): Promise<void> {
  const came = new Set<unknown>();
  let from = 0;
  while (came.size < shards) {
    await follower.line({ type: "shard", state }, from);
    for (const { type, shard, state: now } of follower.lines.slice(from)) {
      if (type === "shard" && now === state) came.add(shard);
    }
    from = follower.mark;
  }
}
