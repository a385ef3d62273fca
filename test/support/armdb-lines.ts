// NDJSON as it comes: text in, lines out, and waits for a line that a test names by some of its fields.

export interface Line {
  readonly schema?: number;
  readonly type?: string;
  readonly [field: string]: unknown;
}

/** Fields that a line must have, or a test of it. */
export type LineMatch = Readonly<Record<string, unknown>> | ((line: Line) => boolean);

interface Waiter {
  readonly match: LineMatch;
  readonly from: number;
  readonly resolve: (line: Line) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class ArmdbLines {
  readonly lines: Line[] = [];
  readonly #waiters = new Set<Waiter>();
  #rest = "";
  #endedBy: string | null = null;

  /** Takes text in any pieces. A line that is no JSON object is kept as `{ type: "text", text }`. */
  push(text: string): void {
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) this.lines.push(parse(part));
    if (parts.length > 0) this.#answer();
  }

  /** Nothing more comes. */
  end(reason: string): void {
    this.#endedBy = reason;
    for (const waiter of this.#waiters) {
      clearTimeout(waiter.timer);
      waiter.reject(this.#missing(waiter.match, reason));
    }
    this.#waiters.clear();
  }

  wait(match: LineMatch, from: number, limitMs: number): Promise<Line> {
    const found = this.#find(match, from);
    if (found !== undefined) return Promise.resolve(found);
    if (this.#endedBy !== null) return Promise.reject(this.#missing(match, this.#endedBy));
    return new Promise((resolve, reject) => {
      const late = () => {
        this.#waiters.delete(waiter);
        reject(this.#missing(match, `${limitMs} ms are over`));
      };
      const timer = setTimeout(late, limitMs);
      const waiter: Waiter = { match, from, resolve, reject, timer };
      this.#waiters.add(waiter);
    });
  }

  #answer(): void {
    for (const waiter of this.#waiters) {
      const line = this.#find(waiter.match, waiter.from);
      if (line === undefined) continue;
      clearTimeout(waiter.timer);
      this.#waiters.delete(waiter);
      waiter.resolve(line);
    }
  }

  #find(match: LineMatch, from: number): Line | undefined {
    return this.lines.slice(from).find((line) => matches(line, match));
  }

  #missing(match: LineMatch, why: string): Error {
    const wanted = typeof match === "function" ? String(match) : JSON.stringify(match);
    return new Error(`No line ${wanted}: ${why}`);
  }
}

function parse(text: string): Line {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Line;
  } catch {
    // Said below.
  }
  return { type: "text", text };
}

function matches(line: Line, match: LineMatch): boolean {
  if (typeof match === "function") return match(line);
  return Object.entries(match).every(([field, value]) => line[field] === value);
}
