// How fast a leader writes, from the events that its live stream brings: two buckets of 5 s, so that a question at any moment
// looks back over 5 to 10 s; and how many slots it may have written while the stream was away. Used by difference-recorder.ts.
// Pure.

const BUCKET_MS = 5_000;
/** What was on its way when a stream was closed is lost with it. */
const IN_FLIGHT_MARGIN_MS = 100;
/** Writes come in bursts. */
const IN_FLIGHT_FACTOR = 3;
const IN_FLIGHT_SLOTS_MIN = 16;

/** More slots than this were not written while a stream was away for `gapMs`; 0 where nobody writes. */
export function inFlightMax(perMs: number, gapMs: number): number {
  if (perMs === 0) return 0;
  return IN_FLIGHT_SLOTS_MIN + Math.ceil(IN_FLIGHT_FACTOR * perMs * (gapMs + IN_FLIGHT_MARGIN_MS));
}

export class LiveRate {
  #bucketSinceMs: number;
  #events = 0;
  #eventsBefore = 0;
  /** 0 when there was no full bucket before. */
  #beforeMs = 0;

  constructor(nowMs: number) {
    this.#bucketSinceMs = nowMs;
  }

  add(nowMs: number, events: number): void {
    this.#turn(nowMs);
    this.#events += events;
  }

  /** Events a ms. */
  perMs(nowMs: number): number {
    this.#turn(nowMs);
    const overMs = this.#beforeMs + (nowMs - this.#bucketSinceMs);
    return overMs <= 0 ? 0 : (this.#events + this.#eventsBefore) / overMs;
  }

  #turn(nowMs: number): void {
    const passedMs = nowMs - this.#bucketSinceMs;
    if (passedMs < BUCKET_MS) return;
    const isNext = passedMs < 2 * BUCKET_MS;
    this.#eventsBefore = isNext ? this.#events : 0;
    this.#beforeMs = BUCKET_MS;
    this.#bucketSinceMs = isNext ? this.#bucketSinceMs + BUCKET_MS : nowMs;
    this.#events = 0;
  }
}
