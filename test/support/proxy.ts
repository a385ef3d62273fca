// A TCP proxy on loopback that stands between a follower and a leader, both real, and does to the bytes what networks do.
// Uses Bun's sockets directly, as it needs what src/io hides on purpose: resets and half-open links.
//
//   await using proxy = await Proxy.start(leaderPort, { toFollower: { cutAtByte: 1000, cut: "reset" } });
//
// Promises: without options bytes pass unchanged; the plan of a connection is asked for when it is accepted; closing the
// proxy closes every socket and timer it holds.

import type { Socket, TCPSocketListener } from "bun";
import { PlannedStream, type StreamPlan } from "./proxy-stream.ts";

export type { StreamPlan } from "./proxy-stream.ts";

/** What happens to the two directions of one connection. */
export interface ConnectionPlan {
  readonly toLeader?: StreamPlan;
  readonly toFollower?: StreamPlan;
}

/** A plan for all connections, or one by the connection's number, from 0. */
export type ProxyPlan = ConnectionPlan | ((connection: number) => ConnectionPlan);

/** What passed on one connection. */
export interface ProxyRecord {
  /** The shard that the follower asked for; null before it did. */
  shard: number | null;
  bytesToLeader: number;
  bytesToFollower: number;
  ended: boolean;
}

type ProxySocket = Socket<Side>;

/** One of the two sockets of a connection. */
class Side {
  readonly pair: Pair;
  readonly isFollower: boolean;
  constructor(pair: Pair, isFollower: boolean) {
    this.pair = pair;
    this.isFollower = isFollower;
  }
}

export class Proxy implements AsyncDisposable {
  #server: TCPSocketListener<Side> | null = null;
  readonly #pairs = new Set<Pair>();
  /** One per connection, in order. */
  readonly records: ProxyRecord[] = [];
  /** Where leaders are looked for; may be changed when one came back elsewhere. */
  leaderPort: number;
  #plan: ProxyPlan;
  #standsStill = false;

  private constructor(leaderPort: number, plan: ProxyPlan) {
    this.leaderPort = leaderPort;
    this.#plan = plan;
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(leaderPort: number, plan: ProxyPlan = {}): Promise<Proxy> {
    const proxy = new Proxy(leaderPort, plan);
    proxy.#server = Bun.listen<Side>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: { ...handlers, open: (socket) => proxy.#accept(socket) },
    });
    return proxy;
  }

  get port(): number {
    if (this.#server === null) throw new Error("the proxy is not started");
    return this.#server.port;
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** What happens to connections that are made from now on. */
  set plan(plan: ProxyPlan) {
    this.#plan = plan;
  }

  /** Ends all connections of now, each with a reset on both sides. */
  resetAll(): void {
    for (const pair of this.#pairs) pair.end("reset");
  }

  /** As `resetAll`, the connections of one shard only. */
  resetShard(shard: number): void {
    for (const pair of this.#pairs) if (pair.record.shard === shard) pair.end("reset");
  }

  /** Nothing passes until `goOn`, on connections that are made meanwhile either; then all that waited does. */
  standStill(): void {
    this.#standsStill = true;
    for (const pair of this.#pairs) pair.hold();
  }

  goOn(): void {
    this.#standsStill = false;
    for (const pair of this.#pairs) pair.release();
  }

  /** From now on nothing passes on the connections of now, and nobody is told. */
  freezeAll(): void {
    for (const pair of this.#pairs) pair.freeze();
  }

  /** As `freezeAll`, the connections of one shard only. */
  freezeShard(shard: number): void {
    for (const pair of this.#pairs) if (pair.record.shard === shard) pair.freeze();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resetAll();
    this.#server?.stop(true);
    this.#server = null;
  }

  #accept(follower: ProxySocket): void {
    const number = this.records.length;
    const record: ProxyRecord = {
      ...{ shard: null, bytesToLeader: 0, bytesToFollower: 0, ended: false },
    };
    this.records.push(record);
    const plan = typeof this.#plan === "function" ? this.#plan(number) : this.#plan;
    const pair = new Pair(follower, plan, record, () => void this.#pairs.delete(pair));
    this.#pairs.add(pair);
    if (this.#standsStill) pair.hold();
    follower.data = new Side(pair, true);
    Bun.connect<Side>({
      hostname: "127.0.0.1",
      port: this.leaderPort,
      allowHalfOpen: true,
      data: new Side(pair, false),
      socket: { ...handlers, open: (leader) => pair.connected(leader) },
    }).catch(() => pair.end("reset"));
  }
}

const handlers = {
  data(socket: ProxySocket, chunk: Buffer) {
    const { pair, isFollower } = socket.data;
    (isFollower ? pair.toLeader : pair.toFollower).push(new Uint8Array(chunk));
  },
  drain(socket: ProxySocket) {
    const { pair, isFollower } = socket.data;
    (isFollower ? pair.toFollower : pair.toLeader).pump();
  },
  end(socket: ProxySocket) {
    const { pair, isFollower } = socket.data;
    (isFollower ? pair.toLeader : pair.toFollower).finish();
  },
  close(socket: ProxySocket, error?: Error) {
    const { pair, isFollower } = socket.data;
    pair.sideClosed(isFollower, error === undefined ? "fin" : "reset");
  },
  error(_socket: ProxySocket, error: Error) {
    throw error;
  },
};

/** Both sockets and both streams of one connection. */
class Pair {
  readonly #follower: ProxySocket;
  #leader: ProxySocket | null = null;
  readonly record: ProxyRecord;
  readonly #gone: () => void;
  #ended = false;
  #frozen = false;
  #closedSides = 0;
  readonly toLeader: PlannedStream;
  readonly toFollower: PlannedStream;

  constructor(follower: ProxySocket, plan: ConnectionPlan, record: ProxyRecord, gone: () => void) {
    this.#follower = follower;
    this.record = record;
    this.#gone = gone;
    this.toLeader = new PlannedStream(plan.toLeader ?? {}, {
      write: (bytes) => {
        const taken = this.#leader?.write(bytes) ?? 0;
        // A SyncRequest comes first, and ends with shard, protocol version and flags.
        if (taken > 0) record.shard ??= bytes.at(-3) ?? null;
        record.bytesToLeader += Math.max(0, taken);
        return taken;
      },
      finished: () => void this.#leader?.end(),
      cut: (kind) => this.#cut(kind),
    });
    this.toFollower = new PlannedStream(plan.toFollower ?? {}, {
      write: (bytes) => {
        const taken = this.#follower.write(bytes);
        record.bytesToFollower += Math.max(0, taken);
        return taken;
      },
      finished: () => void this.#follower.end(),
      cut: (kind) => this.#cut(kind),
    });
  }

  connected(leader: ProxySocket): void {
    if (this.#ended) {
      leader.terminate();
      return;
    }
    this.#leader = leader;
    this.toLeader.pump();
  }

  hold(): void {
    this.toLeader.hold();
    this.toFollower.hold();
  }

  release(): void {
    this.toLeader.release();
    this.toFollower.release();
  }

  freeze(): void {
    this.#frozen = true;
    this.toLeader.freeze();
    this.toFollower.freeze();
  }

  /** One side went away: the other learns of it, unless the link is frozen and nobody is to know. */
  sideClosed(isFollower: boolean, kind: "fin" | "reset"): void {
    if (this.#frozen) return;
    this.#closedSides++;
    if (kind === "reset" || this.#closedSides === 2) this.end(kind);
    else (isFollower ? this.toLeader : this.toFollower).finish();
  }

  end(kind: "fin" | "reset"): void {
    if (this.#ended) return;
    this.#ended = true;
    this.record.ended = true;
    this.toLeader.freeze();
    this.toFollower.freeze();
    for (const socket of [this.#follower, this.#leader]) {
      if (kind === "reset") socket?.terminate();
      else socket?.end();
    }
    this.#gone();
  }

  #cut(kind: "fin" | "reset" | "half-open"): void {
    if (kind === "half-open") this.freeze();
    else this.end(kind);
  }
}
