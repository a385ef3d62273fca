// Lines that come again and again. Of each kind the first is said at once, then one in ten seconds: the last that came, with how
// many came besides. Used by what tells of a running follower; nothing is lost but repetition.

import type { Clock, Timer } from "../../io/clock.ts";
import type { Messages } from "./surface.ts";

const EVERY_MS = 10_000;

/** A line of one kind, said of somebody: of shards, of an address. */
export interface LimitedLine {
  readonly level: "info" | "warn" | "error";
  readonly kind: string;
  readonly text: string;
  /** Of whom; empty: of nobody. */
  readonly of: readonly number[];
}

/** What waits: the last line, of whom it was said, and how often any was. */
interface Held {
  line: LimitedLine;
  readonly of: Set<number>;
  times: number;
}

export class RateLimited {
  readonly #messages: Pick<Messages, "info" | "warn" | "error">;
  readonly #clock: Pick<Clock, "after">;
  readonly #lead: (of: readonly number[]) => string;
  /** Of each kind that was said less than ten seconds ago: what came since. */
  readonly #kinds = new Map<string, { held: Held | null; timer: Timer }>();

  /** `lead` makes the words in front of a line of whom it is said. */
  constructor(
    messages: Pick<Messages, "info" | "warn" | "error">,
    clock: Pick<Clock, "after">,
    lead: (of: readonly number[]) => string,
  ) {
    this.#messages = messages;
    this.#clock = clock;
    this.#lead = lead;
  }

  say(line: LimitedLine): void {
    const known = this.#kinds.get(line.kind);
    if (known === undefined) return this.#tell(line, line.of, 0);
    const { held } = known;
    const times = (held?.times ?? 0) + Math.max(1, line.of.length);
    const isSame = held?.line.text === line.text && held.line.level === line.level;
    const of = isSame ? held.of : new Set<number>();
    for (const one of line.of) of.add(one);
    known.held = { line, of, times };
  }

  /** Says what waits. */
  flush(): void {
    for (const [kind, { held, timer }] of this.#kinds) {
      timer.cancel();
      this.#kinds.delete(kind);
      if (held !== null) this.#write(held.line, [...held.of], besides(held));
    }
  }

  #tell(line: LimitedLine, of: readonly number[], more: number): void {
    const timer = this.#clock.after(EVERY_MS, () => this.#due(line.kind));
    this.#kinds.set(line.kind, { held: null, timer });
    this.#write(line, of, more);
  }

  #due(kind: string): void {
    const held = this.#kinds.get(kind)?.held ?? null;
    this.#kinds.delete(kind);
    if (held !== null) this.#tell(held.line, [...held.of], besides(held));
  }

  #write({ level, text }: LimitedLine, of: readonly number[], more: number): void {
    this.#messages[level](`${this.#lead(of)}${text}${more === 0 ? "" : ` (and ${more} more)`}`);
  }
}

/** How many came besides what is shown. */
function besides({ of, times }: Held): number {
  return times - Math.max(1, of.size);
}
