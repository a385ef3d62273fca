// What is to happen in a model, in the order of time: the leader's own events, and those that wait while the follower
// is held up.

export interface Event {
  atMs: number;
  readonly order: number;
  /** Of the follower: stands still while it is held up. */
  readonly isOurs: boolean;
  run: (() => void) | null;
}

export class Timeline {
  nowMs = 0;
  heldUntilMs = 0;
  #order = 0;
  #events: Event[] = [];

  after(ms: number, run: () => void, isOurs = false): Event {
    const event = { atMs: this.nowMs + ms, order: this.#order++, isOurs, run };
    this.#events.push(event);
    return event;
  }

  /** Runs the next event that is due by then, and says whether there was one. */
  next(untilMs = Infinity): boolean {
    let first: Event | undefined;
    for (const event of this.#events)
      if (first === undefined || isEarlier(event, first)) first = event;
    if (first === undefined || first.atMs > untilMs) return false;
    this.#remove(first);
    this.nowMs = Math.max(this.nowMs, first.atMs);
    if (first.isOurs && this.nowMs < this.heldUntilMs) {
      // It keeps its place behind what waits already.
      this.#events.push({ ...first, atMs: this.heldUntilMs, order: this.#order++ });
    } else first.run?.();
    return true;
  }

  #remove(event: Event): void {
    const at = this.#events.indexOf(event);
    const last = this.#events.pop();
    if (last !== undefined && last !== event) this.#events[at] = last;
  }
}

function isEarlier(event: Event, other: Event): boolean {
  return event.atMs < other.atMs || (event.atMs === other.atMs && event.order < other.order);
}
