// One way to run, stop, pace and tell of long work: every loop of the audit over slots, words or findings goes through a Task.
// Promises: a stop is seen and the event loop has a turn at least each 50 ms; all reads of a command pay one throttle, whatever
// thread makes them; what is to be read is announced before it begins, so that all of it is the end. Opens nothing.

import { assert } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import { DiskError, type DiskFile } from "../io/disk.ts";
import { Stopped } from "./stopped.ts";

/** Whether the work is to end: over an AbortSignal, or over a cell of memory that threads share. */
export interface Stop {
  readonly isSet: boolean;
}

/** The stop of a signal. */
function stopOf(signal: AbortSignal): Stop {
  return {
    get isSet() {
      return signal.aborted;
    },
  };
}

/** What is read of a shard, in the order in which it is. */
export type PartName = "sidecar" | "slots" | "tail" | "again" | "compare" | "plan" | "search";

/** Told of all parts, and of each step in them. */
export interface PartSink {
  announced(part: Part): void;
  moved(part: Part, bytes: number): void;
}

/** Nobody watches. */
const NO_SINK: PartSink = { announced: () => {}, moved: () => {} };

interface PartFacts {
  readonly name: PartName;
  readonly shard: number;
  readonly unitBytes: number;
  readonly totalBytes: number;
  readonly number?: number;
  readonly of?: number;
}

/** A stretch of bytes to be read, some of it perhaps by others. */
export class Part {
  readonly name: PartName;
  readonly shard: number;
  /** Of what is never divided: a slot, a word. */
  readonly unitBytes: number;
  readonly totalBytes: number;
  /** It is reading `number` of `of` over the same bytes. */
  readonly number: number;
  readonly of: number;
  readonly #sink: PartSink;

  constructor(sink: PartSink, facts: PartFacts) {
    this.name = facts.name;
    this.shard = facts.shard;
    this.unitBytes = facts.unitBytes;
    this.totalBytes = facts.totalBytes;
    this.number = facts.number ?? 1;
    this.of = facts.of ?? 1;
    this.#sink = sink;
  }

  /** Notes bytes that were read, or that need not be. */
  move(bytes: number): void {
    this.#sink.moved(this, bytes);
  }
}

const THROTTLE_BYTES = 16;
const CELL_READ = 0;
const CELL_DUE_US = 1;
/** So far a schedule may lie behind the clock: what was not read in a pause is not read all at once after it. */
const BEHIND_US_MAX = 250_000n;

/** The bytes of all reads of a command, and a rate that they keep together (cli.md: `--limit-rate`). */
export class Throttle {
  /** Shared by all threads that read for the command. */
  readonly cells: BigInt64Array;
  readonly bytesPerSecond: number | null;
  readonly #clock: Clock;

  constructor(clock: Clock, bytesPerSecond: number | null, shared?: SharedArrayBuffer) {
    this.#clock = clock;
    this.bytesPerSecond = bytesPerSecond;
    this.cells = new BigInt64Array(shared ?? new SharedArrayBuffer(THROTTLE_BYTES));
    if (shared === undefined) this.cells[CELL_DUE_US] = this.#nowUs();
  }

  get bytesRead(): number {
    return Number(Atomics.load(this.cells, CELL_READ));
  }

  /** Notes bytes that were read. Returns how long to wait until they were due, ms. */
  spend(bytes: number): number {
    Atomics.add(this.cells, CELL_READ, BigInt(bytes));
    if (this.bytesPerSecond === null) return 0;
    const costUs = BigInt(Math.ceil((bytes / this.bytesPerSecond) * 1e6));
    for (;;) {
      const nowUs = this.#nowUs();
      const due = Atomics.load(this.cells, CELL_DUE_US);
      const from = due > nowUs - BEHIND_US_MAX ? due : nowUs - BEHIND_US_MAX;
      if (Atomics.compareExchange(this.cells, CELL_DUE_US, due, from + costUs) === due)
        return Math.max(0, Number(from + costUs - nowUs) / 1000);
    }
  }

  #nowUs(): bigint {
    return BigInt(Math.round(this.#clock.nowMs() * 1000));
  }
}

/** A piece of a file, in order. `bytes` is a view that is valid until the next one is asked for. */
export type Chunk =
  | { readonly kind: "bytes"; readonly offset: number; readonly bytes: Uint8Array }
  | {
      readonly kind: "unreadable";
      readonly offset: number;
      readonly byteCount: number;
      readonly reason: string;
      /** The file ended before: somebody has cut it. */
      readonly isCut: boolean;
    };

const CHUNK_BYTES = 512 * 1024;
const TURN_MS = 50;
/** A pause is cut into pieces of this length, so that a stop is seen soon. */
const PIECE_MS = 100;

export interface TaskAround {
  readonly clock: Clock;
  readonly stop: Stop;
  readonly throttle: Throttle;
  readonly sink: PartSink;
}

export class Task {
  readonly clock: Clock;
  readonly stop: Stop;
  readonly throttle: Throttle;
  readonly #sink: PartSink;
  #turnMs: number;

  constructor({ clock, stop, throttle, sink }: TaskAround) {
    this.clock = clock;
    this.stop = stop;
    this.throttle = throttle;
    this.#sink = sink;
    this.#turnMs = clock.nowMs();
  }

  /** Announces what is to be read. */
  part(facts: PartFacts): Part {
    assert(facts.unitBytes > 0, `a part of ${facts.name} without a unit`);
    const part = new Part(this.#sink, facts);
    this.#sink.announced(part);
    return part;
  }

  /** Throws Stopped when the work is to end; lets the event loop turn when it is time for it. */
  async breathe(): Promise<void> {
    this.#check();
    if (this.clock.nowMs() - this.#turnMs >= TURN_MS) await this.turn();
  }

  /** Lets the event loop turn now: messages that came are heard. Throws Stopped. */
  async turn(): Promise<void> {
    await new Promise<void>((resolve) => void setImmediate(resolve));
    this.#turnMs = this.clock.nowMs();
    this.#check();
  }

  /** Waits. Throws Stopped soon after the work is to end. */
  async pause(delayMs: number): Promise<void> {
    const endMs = this.clock.nowMs() + delayMs;
    for (let leftMs = delayMs; leftMs > 0; leftMs = endMs - this.clock.nowMs()) {
      this.#check();
      await new Promise<void>((resolve) => {
        this.clock.after(Math.min(leftMs, PIECE_MS), resolve);
      });
    }
    this.#turnMs = this.clock.nowMs();
    this.#check();
  }

  /** Notes bytes that were read besides, and waits until they were due. */
  async pay(bytes: number): Promise<void> {
    const waitMs = this.throttle.spend(bytes);
    if (waitMs > 0) await this.pause(waitMs);
  }

  /**
   * Reads [first, end) in order, `into` at a time. What cannot be read is halved until only the units that cannot are left out.
   * Throws Stopped between two reads only.
   */
  async *chunks(
    part: Part,
    file: Pick<DiskFile, "read">,
    first: number,
    end: number,
    into: Uint8Array = new Uint8Array(stepBytes(part.unitBytes, end - first)),
  ): AsyncGenerator<Chunk> {
    for (let at = first; at < end;) {
      const bytes = into.subarray(0, Math.min(into.length, end - at));
      assert(bytes.length > 0, `reading shard ${part.shard} does not advance at ${at}`);
      // Nearly always: one read, and no step of a promise but that of the chunk itself.
      if (this.#isTurnDue()) await this.breathe();
      const [got, error] = readInto(file, bytes, at);
      if (error === null) {
        const whole = got - (got % part.unitBytes);
        if (whole > 0) yield { kind: "bytes", offset: at, bytes: bytes.subarray(0, whole) };
        if (whole < bytes.length)
          yield unreadable(at + whole, bytes.length - whole, "the file became shorter", true);
        part.move(bytes.length);
        const waitMs = this.throttle.spend(got);
        if (waitMs > 0) await this.pause(waitMs);
      } else yield* this.#halves(part, file, at, bytes, error);
      at += bytes.length;
    }
  }

  /** What could not be read as one. */
  async *#halves(
    part: Part,
    file: Pick<DiskFile, "read">,
    offset: number,
    bytes: Uint8Array,
    error: DiskError,
  ): AsyncGenerator<Chunk> {
    const half = Math.floor(bytes.length / 2 / part.unitBytes) * part.unitBytes;
    if (half === 0) {
      yield unreadable(offset, bytes.length, error.errno, false);
      part.move(bytes.length);
      return;
    }
    const middle = offset + half;
    yield* this.chunks(part, file, offset, middle, bytes.subarray(0, half));
    yield* this.chunks(
      part,
      file,
      middle,
      offset + bytes.length,
      bytes.subarray(0, bytes.length - half),
    );
  }

  #isTurnDue(): boolean {
    return this.stop.isSet || this.clock.nowMs() - this.#turnMs >= TURN_MS;
  }

  #check(): void {
    if (this.stop.isSet) throw new Stopped();
  }
}

function readInto(
  file: Pick<DiskFile, "read">,
  into: Uint8Array,
  offset: number,
): [number, null] | [null, DiskError] {
  try {
    return [file.read(into, offset), null];
  } catch (thrown) {
    if (thrown instanceof DiskError) return [null, thrown];
    throw thrown;
  }
}

/** A task of one thread that nobody watches. */
export function taskFor(clock: Clock, stop: AbortSignal, bytesPerSecond: number | null): Task {
  const throttle = new Throttle(clock, bytesPerSecond);
  return new Task({ clock, stop: stopOf(stop), throttle, sink: NO_SINK });
}

/** Units of about half a MiB. */
function stepBytes(unitBytes: number, bytes: number): number {
  const units = Math.max(1, Math.floor(CHUNK_BYTES / unitBytes));
  return unitBytes * Math.max(1, Math.min(units, Math.ceil(bytes / unitBytes)));
}

function unreadable(offset: number, byteCount: number, reason: string, isCut: boolean): Chunk {
  return { kind: "unreadable", offset, byteCount, reason, isCut };
}
