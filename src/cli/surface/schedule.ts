// When progress is told off a terminal (`--progress`): often at first, then less and less. Pure: the time is passed in.

/** What `--progress` says: every so many ms, not at all, or nothing, so that the command's own times hold. */
export type Pace = { readonly everyMs: number } | "off" | null;

/** Lines for people come after so long, then each minute. */
const LINE_STEPS_MS: readonly number[] = [5_000, 10_000, 20_000, 40_000, 60_000];
const LINE_LATER_MS = 60_000;
const OBJECT_EVERY_MS = 5_000;

export class Schedule {
  readonly #steps: readonly number[];
  /** Null: never. */
  readonly #laterMs: number | null;
  #beganAtMs = 0;
  #dueAtMs = 0;

  /** Of lines for people, or of objects for scripts. */
  constructor(pace: Pace, of: "lines" | "objects", nowMs: number) {
    const ownMs = of === "lines" ? LINE_LATER_MS : OBJECT_EVERY_MS;
    this.#steps = pace === null && of === "lines" ? LINE_STEPS_MS : [];
    this.#laterMs = pace === "off" ? null : (pace?.everyMs ?? ownMs);
    this.begin(nowMs);
  }

  /** Counts from now on. */
  begin(nowMs: number): void {
    this.#beganAtMs = nowMs;
    this.#dueAtMs = nowMs + this.#nextMs(0);
  }

  /** Whether it is time; says so once for each time. */
  isDue(nowMs: number): boolean {
    if (nowMs < this.#dueAtMs) return false;
    this.#dueAtMs = this.#beganAtMs + this.#nextMs(nowMs - this.#beganAtMs);
    return true;
  }

  /** The first time after the beginning that lies past `passedMs`. */
  #nextMs(passedMs: number): number {
    if (this.#laterMs === null) return Number.POSITIVE_INFINITY;
    const step = this.#steps.find((stepMs) => stepMs > passedMs);
    return step ?? (Math.floor(passedMs / this.#laterMs) + 1) * this.#laterMs;
  }
}
