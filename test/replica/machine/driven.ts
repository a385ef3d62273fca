// A machine of one shard in the hands of a test: takes inputs at a time of the test's own, and goes the usual way to a
// state at one call. Performs nothing: the actions are what is looked at.

import type { PlainError } from "../../../src/errors.ts";
import type { Action, Report } from "../../../src/replica/machine/actions.ts";
import type { ConnectionEnd, Input, SavedShard } from "../../../src/replica/machine/inputs.ts";
import { stateWord } from "../../../src/replica/machine/shown.ts";
import { initialState, step, wakeAtMs } from "../../../src/replica/machine/step.ts";
import type { MachineSettings, ShardState } from "../../../src/replica/machine/types.ts";
import type { ProtocolVersion, ShardInfo } from "../../../src/wire/messages.ts";

export const SETTINGS: MachineSettings = {
  leader: "127.0.0.1:7400",
  shard: 0,
  protocol: 2,
  followedBefore: false,
  once: false,
  acceptLeader: false,
  resyncMs: 3_600_000,
  pollMs: 300_000,
  windowAcks: 64,
  isRateLimited: false,
  runEventsSuspect: 8_000,
};

export const INFO: ShardInfo = {
  shardCount: 1,
  keyLen: 8,
  valueLen: 16,
  slotSize: 32,
  slotCount: 1_000,
  shardPrefixBits: 0,
};

export const NOTHING_SAVED: SavedShard = { complete: null, diverged: 0, owed: null };
export const DISK_ERROR: PlainError = { code: "storage", message: "EIO" };
export const LOST: ConnectionEnd = { kind: "lost", reason: "the leader closed the connection" };
export const STALLED: ConnectionEnd = { kind: "stalled", reason: "no heartbeat" };

/** An input without its moment. */
export type Told = Input extends infer One
  ? One extends Input
    ? Omit<One, "nowMs" | "chance">
    : never
  : never;

export class Driven {
  state: ShardState;
  nowMs = 10_000;
  chance = 0.5;
  /** Of the last input. */
  actions: readonly Action[] = [];
  /** Every report so far. */
  readonly reports: Report[] = [];

  constructor(settings: Partial<MachineSettings> = {}) {
    this.state = initialState({ ...SETTINGS, ...settings });
  }

  get word(): string {
    return stateWord(this.state);
  }

  /** What the main connection is in. */
  get at(): string {
    return this.state.main.at;
  }

  /** Actions of the last input but its reports, each as `kind detail`. */
  get done(): string[] {
    return this.actions.filter(({ kind }) => kind !== "report").map(shortOf);
  }

  take(input: Told): this {
    const whole = { ...input, nowMs: this.nowMs, chance: this.chance } as Input;
    [this.state, this.actions] = step(this.state, whole);
    for (const action of this.actions)
      if (action.kind === "report") this.reports.push(action.report);
    return this;
  }

  /** Lets time pass, and ticks when the machine wants it. */
  wait(ms: number): this {
    const untilMs = this.nowMs + ms;
    for (let atMs = wakeAtMs(this.state); atMs !== null && atMs <= untilMs;) {
      this.nowMs = Math.max(this.nowMs, atMs);
      this.take({ kind: "tick" });
      atMs = wakeAtMs(this.state);
    }
    this.nowMs = untilMs;
    return this;
  }

  start(hasFiles = true, saved: Partial<SavedShard> = {}): this {
    return this.take({ kind: "start", hasFiles, saved: { ...NOTHING_SAVED, ...saved } });
  }

  /** The number of the main connection, of the request for it, or of the one beside. */
  get link(): number {
    return linkOf(this.state.main);
  }

  get beside(): number {
    return linkOf(this.state.beside);
  }

  granted(request = this.link): this {
    return this.take({ kind: "granted", request });
  }

  opened(link = this.link): this {
    return this.take({ kind: "opened", link });
  }

  shardInfo(link = this.link, misfit: PlainError | null = null): this {
    return this.take({ kind: "shardInfo", link, info: INFO, misfit });
  }

  caughtUp(link = this.link): this {
    return this.take({ kind: "caughtUp", link });
  }

  whole(link = this.link): this {
    return this.take({ kind: "whole", link });
  }

  judged(suspects = 0, diverged = 0): this {
    return this.take({ kind: "judged", link: this.state.last?.link ?? 0, suspects, diverged });
  }

  durable(): this {
    return this.take({ kind: "durable", link: this.state.last?.link ?? 0 });
  }

  heartbeat(link = this.link): this {
    return this.take({ kind: "heartbeat", link });
  }

  /** So many live batches, full or not. */
  batches(count: number, full = true, events = 256): this {
    for (let batch = 0; batch < count; batch++) {
      this.take({ kind: "batch", link: this.link, events, full, heldAtMs: this.nowMs });
    }
    return this;
  }

  ended(end: ConnectionEnd = LOST, link = this.link): this {
    return this.take({ kind: "ended", link, end });
  }

  error(text: string, link = this.link): this {
    return this.ended({ kind: "leader-error", text }, link);
  }

  /** From the request on to a connection that waits for ShardInfo. */
  dialing(): this {
    return this.granted().opened();
  }

  scanning(): this {
    return this.dialing().shardInfo();
  }

  confirming(): this {
    return this.scanning().caughtUp();
  }

  /** From the request on to a stream, judged. */
  streaming(suspects = 0, diverged = 0): this {
    return this.confirming().whole().judged(suspects, diverged);
  }

  /** A scan beside, from the request on, judged. */
  besideScan(suspects = 0, diverged = 0): this {
    const link = this.beside;
    this.granted(link).opened(link).shardInfo(link).caughtUp(link).whole(link);
    return this.judged(suspects, diverged);
  }
}

/** A machine whose shard has files, on its way to its first connection. */
export function started(settings: Partial<MachineSettings> = {}): Driven {
  return new Driven(settings).start();
}

/** Live on that protocol: on protocol 1 the stream's first heartbeat came. */
export function live(protocol: ProtocolVersion, settings: Partial<MachineSettings> = {}): Driven {
  const machine = started({ ...settings, protocol })
    .streaming()
    .durable();
  return protocol === 2 ? machine : machine.wait(5_000).heartbeat();
}

/** On a protocol 1 leader without the stream to give. */
export function polling(settings: Partial<MachineSettings> = {}): Driven {
  const machine = started({ ...settings, protocol: 1 })
    .confirming()
    .wait(6_800)
    .heartbeat();
  return machine.whole().judged().durable();
}

function linkOf(connection: ShardState["main"] | ShardState["beside"]): number {
  if ("link" in connection) return connection.link;
  return "request" in connection ? connection.request : 0;
}

function shortOf(action: Action): string {
  const { kind, ...rest } = action;
  const details = Object.entries(rest).filter(([name]) => name !== "windowAcks");
  return [kind, ...details.map(([, value]) => detailOf(value))].join(" ");
}

function detailOf(value: unknown): string {
  if (value === null || typeof value !== "object") return `${value}`;
  return "code" in value ? `${value.code}` : "info";
}
