// What a shard's follower counts and times beside its machine: for the snapshot, never to decide by. Used by shard-follower.ts.

import type { Clock } from "../io/clock.ts";
import type { Connection } from "./connection.ts";
import type { DivergedSlot } from "./follower-types.ts";

export class ShardCounts {
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  #bytesEarlier = 0;
  #scanningMs = 0;
  #scanSinceMs: number | null = null;
  healed = 0;
  rescanned = 0;
  /** Events of the scan under way, or of the last one; null: none began. */
  scanned: number | null = null;
  /** Of the main connection; monotonic, null: never. */
  lastFrameAtMs: number | null = null;
  /** When this shard last held all that its leader had, as far as it is known: by the stream, or the start of a whole scan. */
  currentAtMs: number | null = null;
  lastError: string | null = null;
  diverged: readonly DivergedSlot[] = [];
  /** Connections that are there now: their bytes are not in #bytesEarlier yet. */
  readonly #open = new Set<Connection>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
  }

  opened(connection: Connection): void {
    this.#open.add(connection);
  }

  closed(connection: Connection): void {
    if (!this.#open.delete(connection)) return;
    this.#bytesEarlier += connection.link.bytesReceived;
    if (connection.kind !== null) this.scanEnded();
  }

  /** A scan that began then was whole. */
  holds(beganAtMs: number): void {
    this.currentAtMs = Math.max(this.currentAtMs ?? beganAtMs, beganAtMs);
    for (const { age, isWhole } of this.#open) if (isWhole) age.holds(beganAtMs);
  }

  /** The main connection carries the live stream. */
  streams(nowMs: number): void {
    for (const { age, role, isWhole } of this.#open) {
      const heldAtMs = role === "main" && isWhole ? age.heldAtMs(nowMs) : null;
      if (heldAtMs !== null) this.currentAtMs = Math.max(this.currentAtMs ?? heldAtMs, heldAtMs);
    }
  }

  get bytesReceived(): number {
    let bytes = this.#bytesEarlier;
    for (const { link } of this.#open) bytes += link.bytesReceived;
    return bytes;
  }

  scanBegan(): void {
    this.scanEnded();
    this.#scanSinceMs = this.#clock.nowMs();
  }

  /** Whole or cut: its time counts. */
  scanEnded(): void {
    if (this.#scanSinceMs !== null) this.#scanningMs += this.#clock.nowMs() - this.#scanSinceMs;
    this.#scanSinceMs = null;
  }

  /** Share of the time since the start in which a scan ran. */
  get scanningShare(): number {
    const nowMs = this.#clock.nowMs();
    const now = this.#scanSinceMs === null ? 0 : nowMs - this.#scanSinceMs;
    return (this.#scanningMs + now) / Math.max(1, nowMs - this.#startedAtMs);
  }
}
