// What is kept for a reader that stands still: order, limit, the count of what was dropped, the end.

import { describe, expect, test } from "bun:test";
import { Outbox } from "../../src/cli/surface/outbox.ts";
import type { Outlet } from "../../src/io/outlet.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** An outlet with so much room, and a reader that can go away. */
class Pipe implements Outlet {
  text = "";
  room = Number.POSITIVE_INFINITY;
  gone = false;

  write(bytes: Uint8Array): number | string {
    if (this.gone) return "EPIPE";
    const taken = Math.min(this.room, bytes.length);
    this.room -= taken;
    this.text += new TextDecoder().decode(bytes.subarray(0, taken));
    return taken;
  }

  waitForRoom(): void {
    throw new Error("an outbox never waits");
  }

  isGone(): boolean {
    return this.gone;
  }
}

function outboxOn(pipe: Pipe, clock = new ManualClock()) {
  const gone: string[] = [];
  const outbox = new Outbox({
    outlet: pipe,
    clock,
    notice: (lines) => `${lines} dropped\n`,
    gone: (errno) => void gone.push(errno),
  });
  return { outbox, clock, gone };
}

const LINE = `${"x".repeat(1023)}\n`;

describe("an outbox", () => {
  test("writes at once while there is room", () => {
    const pipe = new Pipe();
    const { outbox } = outboxOn(pipe);
    expect(outbox.write("one\n")).toBeNull();
    expect([pipe.text, outbox.isBehind]).toEqual(["one\n", false]);
  });

  test("keeps what there is no room for, and finishes a line that was begun", () => {
    const pipe = new Pipe();
    const { outbox, clock } = outboxOn(pipe);
    pipe.room = 5;
    outbox.write("one\n");
    outbox.write("two\n");
    expect([pipe.text, outbox.isBehind]).toEqual(["one\nt", true]);
    outbox.write("three\n");
    pipe.room = 100;
    clock.advance(1_000);
    expect([pipe.text, outbox.isBehind]).toEqual(["one\ntwo\nthree\n", false]);
  });

  test("drops whole lines past 1 MiB, and says how many with the next that fits", () => {
    const pipe = new Pipe();
    const { outbox, clock } = outboxOn(pipe);
    pipe.room = 0;
    for (let line = 0; line < 1_024; line++) outbox.write(LINE);
    expect(outbox.droppedTotal).toBe(0);
    outbox.write(LINE);
    outbox.write("a\nb\n");
    expect(outbox.droppedTotal).toBe(3);
    pipe.room = Number.POSITIVE_INFINITY;
    clock.advance(1_000);
    expect(pipe.text.length).toBe(1_024 * 1_024);
    outbox.write("next\n");
    outbox.write("last\n");
    expect(pipe.text.slice(1_024 * 1_024)).toBe("3 dropped\nnext\nlast\n");
    expect(outbox.droppedTotal).toBe(3);
  });

  test("takes one text however long it is where nothing waits", () => {
    const pipe = new Pipe();
    const { outbox, clock } = outboxOn(pipe);
    pipe.room = 10;
    outbox.write(LINE.repeat(2_000));
    expect(outbox.droppedTotal).toBe(0);
    pipe.room = Number.POSITIVE_INFINITY;
    clock.advance(1_000);
    expect(pipe.text.length).toBe(2_000 * 1_024);
  });

  test("tells once that the reader went away, with a write and without one", () => {
    const pipe = new Pipe();
    const { outbox, clock, gone } = outboxOn(pipe);
    pipe.gone = true;
    clock.advance(1_000);
    expect(gone).toEqual(["EPIPE"]);
    expect(outbox.write("one\n")).toBe("EPIPE");
    clock.advance(10_000);
    expect(gone).toEqual(["EPIPE"]);
  });

  test("finishes when all is out, or when its time is over", async () => {
    const pipe = new Pipe();
    const { outbox, clock } = outboxOn(pipe);
    await outbox.finish(1_000);
    pipe.room = 0;
    outbox.write("one\n");
    const late = outbox.finish(1_000);
    clock.advance(1_000);
    await late;
    expect(pipe.text).toBe("");
    const soon = outbox.finish(1_000);
    pipe.room = 4;
    clock.advance(500);
    await soon;
    expect(pipe.text).toBe("one\n");
  });
});
