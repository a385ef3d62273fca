// How old the data of one connection may be. Its leader sends a heartbeat at the first idle moment 5 s after the one before (wire.md),
// in the same stream as the events: each one that comes shows that what was written before it was sent has come as well. When it
// was sent is worked out from CaughtUp and the heartbeats since, and never from when it came: megabytes may wait before it.
// Used by the follower's connection. Pure. Promises: an upper bound of the age, but for 0.5 % of the time since the line was idle.

/** No leader's heartbeats follow each other sooner, and none that was seen as late as the other on average. */
const PERIOD_MS_MIN = 5_000;
const PERIOD_MS_MAX = 5_025;
const PERIODS_KEPT = 9;
/** A leader that is held up now and then would add up to minutes in a day; what is too much is put right whenever nothing waits. */
const MARGIN_MS = 10;
/** A heartbeat with so much silence before and after it did not wait: it was sent when it came. */
const QUIET_MS = 500;
/** A heartbeat is looked out for from here on, and for so long: half a round trip before it is due, and past any delay of the network. */
const LOOKOUT_FROM_MS = 4_700;
const LOOKOUT_TO_MS = 10_000;

export class LiveAge {
  readonly #periodsMs: number[] = [];
  /** In a scan: what comes next was sent no earlier. Later: what comes after the last heartbeat was. */
  #sentAtMs = 0;
  #heldAtMs: number | null = null;
  #batches = 0;
  #markAtMs = 0;
  #caughtUpAtMs: number | null = null;
  #heartbeatAtMs: number | null = null;
  #quietAtMs: number | null = null;
  #heardAtMs = 0;
  #echoMayCome = false;

  /** A heartbeat of ours was sent: the next one that comes may be its echo, which says nothing of the leader's clock (protocol 1). */
  probed(): void {
    this.#echoMayCome = true;
  }

  /** The first acks are sent; the connection was made at `openedAtMs`. */
  scanBegan(openedAtMs: number, nowMs: number): void {
    this.#sentAtMs = openedAtMs;
    this.#markAtMs = nowMs;
  }

  /** A leader sends a batch only when the one `windowAcks` before it was acked: so much may be on its way, and no more. */
  scanBatch(atMs: number, windowAcks: number): void {
    this.#batches++;
    if (this.#batches % Math.max(1, windowAcks) === 0) {
      this.#sentAtMs = this.#markAtMs;
      this.#markAtMs = atMs;
    } else if (this.#batches === 1) this.#sentAtMs = this.#markAtMs;
  }

  caughtUp(atMs: number): void {
    this.#caughtUpAtMs = atMs;
  }

  /** A live batch; one that is not full emptied the leader's ring. */
  batch(atMs: number, full: boolean): void {
    this.#heard(atMs);
    if (!full) this.#heldAtMs ??= this.#sentAtMs;
  }

  /** A heartbeat of the leader's clock, without a payload. */
  heartbeat(atMs: number): void {
    const silentMs = atMs - this.#heard(atMs);
    const beforeAtMs = this.#heartbeatAtMs;
    if (this.#caughtUpAtMs === null) return;
    const isEcho = this.#echoMayCome;
    this.#echoMayCome = false;
    if (isEcho) return;
    if (beforeAtMs !== null) this.#periodsMs.push(atMs - beforeAtMs);
    if (this.#periodsMs.length > PERIODS_KEPT) this.#periodsMs.shift();
    this.#heartbeatAtMs = atMs;
    this.#sentAtMs = Math.min(atMs, this.#sentAtMs + periodOf(this.#periodsMs));
    this.#heldAtMs = this.#sentAtMs;
    if (silentMs >= QUIET_MS) this.#quietAtMs = atMs;
  }

  /**
   * The leader's next heartbeat is about due. One that has never an idle moment sends none, and from crate 0.7.0 on it has none where
   * something is written each time that it waits for an ack (wire.md, a session, 4): whoever acks may help it to one.
   */
  isHeartbeatDue(nowMs: number): boolean {
    const beforeAtMs = this.#heartbeatAtMs ?? this.#caughtUpAtMs;
    if (beforeAtMs === null) return false;
    const sinceMs = nowMs - beforeAtMs;
    return sinceMs >= LOOKOUT_FROM_MS && sinceMs < LOOKOUT_TO_MS;
  }

  /** Bytes came; `isMidFrame`: the last of them begin a frame. */
  chunk(atMs: number, isMidFrame = false): void {
    // The chunk that ended with the heartbeat itself is no news.
    if (atMs !== this.#quietAtMs || isMidFrame) this.#heard(atMs);
  }

  /** A scan that began then was whole, over this connection or another one. */
  holds(beganAtMs: number): void {
    this.#sentAtMs = Math.max(this.#sentAtMs, beganAtMs);
    if (this.#heldAtMs !== null) this.#heldAtMs = Math.max(this.#heldAtMs, beganAtMs);
  }

  /** All that the leader had at this moment is here; null: not known yet. Never goes back. */
  heldAtMs(nowMs: number): number | null {
    this.#settle(nowMs);
    return this.#heldAtMs;
  }

  /** Something came: returns when anything had come before. */
  #heard(atMs: number): number {
    this.#settle(atMs);
    this.#quietAtMs = null;
    const before = this.#heardAtMs;
    this.#heardAtMs = atMs;
    return before;
  }

  #settle(nowMs: number): void {
    const quietAtMs = this.#quietAtMs;
    if (quietAtMs === null || nowMs - quietAtMs < QUIET_MS) return;
    this.#quietAtMs = null;
    this.#sentAtMs = Math.max(this.#sentAtMs, quietAtMs);
    this.#heldAtMs = this.#sentAtMs;
  }
}

function periodOf(periodsMs: readonly number[]): number {
  const sorted = [...periodsMs].sort((left, right) => left - right);
  const median = sorted[sorted.length >> 1] ?? PERIOD_MS_MIN;
  return Math.min(PERIOD_MS_MAX, Math.max(PERIOD_MS_MIN, median) + MARGIN_MS);
}
