// A Task over a file in memory: what it reads, in which order, what it says of what cannot be read, when it ends, what it pays.

import { describe, expect, test } from "bun:test";
import { Stopped } from "../../src/audit/stopped.ts";
import { type Chunk, type Part, Task, Throttle } from "../../src/audit/task.ts";
import type { Clock } from "../../src/io/clock.ts";
import { DiskError } from "../../src/io/disk.ts";
import { realClock } from "../../src/io/time.ts";

const UNIT = 16;
const BYTES = Uint8Array.from({ length: 100 * UNIT }, (_, index) => index * 7);

const partOf = (totalBytes: number) =>
  ({ name: "slots", shard: 0, unitBytes: UNIT, totalBytes }) as const;

/** A clock on which only pauses pass, at once. */
function jumpingClock(): Clock {
  let nowMs = 5_000;
  return {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    after(delayMs, run) {
      nowMs += delayMs;
      queueMicrotask(run);
      return { cancel: () => {} };
    },
  };
}

interface Stage {
  readonly task: Task;
  readonly stop: { isSet: boolean };
  readonly announced: Part[];
  moved: number;
}

function stageOf(clock: Clock = realClock, bytesPerSecond: number | null = null): Stage {
  const stop = { isSet: false };
  const announced: Part[] = [];
  const stage = { stop, announced, moved: 0, task: null as unknown as Task };
  stage.task = new Task({
    clock,
    stop,
    throttle: new Throttle(clock, bytesPerSecond),
    sink: {
      announced: (part) => void announced.push(part),
      moved: (_, bytes) => void (stage.moved += bytes),
    },
  });
  return stage;
}

/** A file of BYTES of which the units in `bad` cannot be read; `read` is told of each call first. */
function fileOf(bad: ReadonlySet<number>, read: () => void = () => {}) {
  return {
    read(into: Uint8Array, offset: number): number {
      read();
      for (const unit of bad) {
        const at = unit * UNIT;
        if (at < offset + into.length && at + UNIT > offset)
          throw new DiskError("read", "f", "EIO");
      }
      const bytes = BYTES.subarray(offset, offset + into.length);
      into.set(bytes);
      return bytes.length;
    },
  };
}

/** What a chunk is, by units. */
function told(chunk: Chunk): string {
  const first = chunk.offset / UNIT;
  if (chunk.kind === "unreadable")
    return `${first}+${chunk.byteCount / UNIT} ${chunk.reason}${chunk.isCut ? " cut" : ""}`;
  expect([...chunk.bytes]).toEqual([
    ...BYTES.subarray(chunk.offset, chunk.offset + chunk.bytes.length),
  ]);
  return `${first}+${chunk.bytes.length / UNIT}`;
}

async function readAll(
  stage: Stage,
  file: ReturnType<typeof fileOf>,
  end = BYTES.length,
  step = 8,
) {
  const part = stage.task.part(partOf(end));
  const chunks: string[] = [];
  for await (const chunk of stage.task.chunks(part, file, 0, end, new Uint8Array(step * UNIT)))
    chunks.push(told(chunk));
  return chunks;
}

describe("chunks", () => {
  test("come in order, each byte once, and the part is at its end", async () => {
    const stage = stageOf();
    const chunks = await readAll(stage, fileOf(new Set()));
    expect(chunks).toHaveLength(13);
    expect([chunks[0], chunks.at(-1)]).toEqual(["0+8", "96+4"]);
    expect([stage.moved, stage.announced[0]?.totalBytes]).toEqual([BYTES.length, BYTES.length]);
    expect(stage.task.throttle.bytesRead).toBe(BYTES.length);
  });

  test("are halved where they cannot be read, down to the units that cannot", async () => {
    const stage = stageOf();
    expect(await readAll(stage, fileOf(new Set([3, 4, 15])), 16 * UNIT)).toEqual([
      "0+2",
      "2+1",
      "3+1 EIO",
      "4+1 EIO",
      "5+1",
      "6+2",
      "8+4",
      "12+2",
      "14+1",
      "15+1 EIO",
    ]);
    expect(stage.moved).toBe(16 * UNIT);
  });

  test("past the end of a file that was cut are said to be cut off", async () => {
    const stage = stageOf();
    const chunks = await readAll(stage, fileOf(new Set()), 110 * UNIT);
    expect(chunks.slice(-3)).toEqual([
      "96+4",
      "100+4 the file became shorter cut",
      "104+6 the file became shorter cut",
    ]);
    expect(stage.moved).toBe(110 * UNIT);
  });

  test("end after any read at which the stop is set, and nothing is read any more", async () => {
    const bad = new Set([3, 4, 15, 90]);
    let readsInAll = 0;
    await readAll(
      stageOf(),
      fileOf(bad, () => void readsInAll++),
    );
    expect(readsInAll).toBeGreaterThan(20);
    for (let last = 1; last < readsInAll; last++) {
      const stage = stageOf();
      let reads = 0;
      const file = fileOf(bad, () => {
        reads += 1;
        if (reads === last) stage.stop.isSet = true;
      });
      await expect(readAll(stage, file)).rejects.toBeInstanceOf(Stopped);
      expect(reads).toBe(last);
    }
  });

  test("of no length are a bug, not an endless loop", async () => {
    const stage = stageOf();
    const part = stage.task.part({ ...partOf(BYTES.length), shard: 3 });
    const chunks = stage.task.chunks(part, fileOf(new Set()), 0, BYTES.length, new Uint8Array(0));
    await expect(chunks.next()).rejects.toThrow("reading shard 3 does not advance at 0");
  });
});

describe("a turn of the event loop", () => {
  test("comes when 50 ms have passed, not with each breath", async () => {
    let nowMs = 0;
    const stage = stageOf({ ...realClock, nowMs: () => nowMs });
    let turns = 0;
    const breaths = async (count: number) => {
      for (let breath = 0; breath < count; breath++) {
        setImmediate(() => void turns++);
        await stage.task.breathe();
      }
    };
    await breaths(10);
    expect(turns).toBe(0);
    nowMs = 50;
    await stage.task.breathe();
    expect(turns).toBe(10);
    await breaths(1);
    expect(turns).toBe(10);
  });
});

describe("a throttle", () => {
  test("makes reads take as long as the rate says, whoever makes them", async () => {
    const clock = jumpingClock();
    const startMs = clock.nowMs();
    const stage = stageOf(clock, 800);
    await readAll(stage, fileOf(new Set()));
    const other = new Throttle(clock, 800, stage.task.throttle.cells.buffer as SharedArrayBuffer);
    await stage.task.pause(other.spend(1_600));
    expect(clock.nowMs() - startMs).toBeCloseTo((BYTES.length + 1_600) / 0.8, -1);
    expect(other.bytesRead).toBe(BYTES.length + 1_600);
  });

  test("does not make up for a pause all at once", async () => {
    const clock = jumpingClock();
    const { task } = stageOf(clock, 1_000);
    await task.pause(60_000);
    const beganMs = clock.nowMs();
    await task.pay(5_000);
    expect(clock.nowMs() - beganMs).toBeGreaterThanOrEqual(4_750);
  });

  test("is left at once when the work is to end", async () => {
    const clock = jumpingClock();
    const { task, stop } = stageOf(clock, 1);
    clock.after = (delayMs, run) => {
      stop.isSet = delayMs > 0;
      queueMicrotask(run);
      return { cancel: () => {} };
    };
    await expect(task.pay(1_000_000)).rejects.toBeInstanceOf(Stopped);
  });
});
