// Progress: bars that fit a terminal, plain lines per interval elsewhere, objects for scripts.

import { describe, expect, test } from "bun:test";
import type { ProgressRow } from "../../src/cli/surface/surface.ts";
import { createDisplay } from "../../src/cli/surface/display.ts";
import { createMessages } from "../../src/cli/surface/messages.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import {
  type ProgressFacts,
  progressLine,
  progressScreen,
} from "../../src/cli/surface/progress.ts";
import { RateMeter } from "../../src/cli/surface/rate.ts";
import { MemorySink } from "./fake-machine.ts";

const PLAIN = createPalette(false);

function row(shard: number, done: number, total: number, state = "scanning"): ProgressRow {
  return { label: `shard ${shard}`, state, done, total, unit: "slots" };
}

function facts(rows: readonly ProgressRow[], more: Partial<ProgressFacts> = {}): ProgressFacts {
  const total = rows.reduce((sum, { total }) => sum + total, 0);
  const done = rows.reduce((sum, { done }) => sum + done, 0);
  return {
    title: "catch-up",
    rows,
    done,
    total,
    unit: "slots",
    perSecond: 150_000,
    leftMs: 34_000,
    elapsedMs: 12_000,
    ...more,
  };
}

describe("progressScreen()", () => {
  const rows = [
    row(0, 500_000, 1_000_000),
    row(1, 1_000_000, 1_000_000, "live"),
    row(12, 40, 0, "connecting"),
  ];

  test.each([40, 80, 132])("at %d columns", (columns) => {
    const lines = progressScreen(facts(rows), columns, 24, PLAIN);
    expect(lines.join("\n")).toMatchSnapshot();
  });

  test("is never wider than the terminal nor higher", () => {
    const many = Array.from({ length: 255 }, (_, shard) => row(shard, shard * 1e6, 255e6));
    for (const columns of [20, 21, 30, 47, 64, 80, 200]) {
      for (const screenRows of [4, 10, 24]) {
        const lines = progressScreen(facts(many), columns, screenRows, PLAIN);
        expect(lines.length).toBeLessThan(Math.max(screenRows, 4));
        for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThan(columns);
      }
    }
  });

  test("shows what is not finished first when not all rows fit", () => {
    const many = Array.from({ length: 30 }, (_, shard) => row(shard, shard < 20 ? 10 : 5, 10));
    const text = progressScreen(facts(many), 80, 12, PLAIN).join("\n");
    expect(text).toContain("shard 20");
    expect(text).not.toContain("shard 0 ");
    expect(text).toContain("and 22 more");
  });

  test("escapes foreign labels", () => {
    const hostile = { ...row(0, 1, 2), label: "\x1b[2J", state: "a\nb" };
    const text = progressScreen(facts([hostile]), 80, 24, PLAIN).join("\n");
    expect(text).toContain("\\x1b[2J");
    expect(text).toContain("a\\nb");
  });
});

test("progressLine() says all in one line", () => {
  const rows = [row(0, 500_000, 1_000_000), row(1, 1_000_000, 1_000_000, "live")];
  expect(progressLine(facts(rows))).toBe(
    "catch-up: 75%, 1,500,000 of 2,000,000 slots, 150 k slots/s, 34 s left; 1 scanning, 1 live",
  );
});

/** Drives a progress through the messages for `durationMs`, an update a second. */
function drive(sink: MemorySink, durationMs: number, format: "text" | "json", json = false) {
  let nowMs = 0;
  const display = sink.isTerminal ? createDisplay(sink) : null;
  const messages = createMessages({
    sink,
    palette: PLAIN,
    styled: false,
    display,
    level: "info",
    format,
    json,
    journal: false,
    confirm: null,
    nowMs: () => nowMs,
    wallMs: () => 0,
  });
  const progress = messages.progress("verify");
  for (; nowMs <= durationMs; nowMs += 1000) progress.update([row(0, nowMs, 1_000_000)]);
  progress.stop();
}

describe("off a terminal", () => {
  test("comes a plain line every 5 s, later every 30 s, without escape codes", () => {
    const sink = new MemorySink();
    drive(sink, 180_000, "text");
    // 12 in the first minute, then one each 30 s.
    expect(sink.lines.length).toBe(16);
    expect(sink.text).not.toContain("\x1b");
    expect(sink.lines[0]).toBe(
      "verify: 0%, 5,000 of 1,000,000 slots, 1 k slots/s, 16 m 35 s left; 1 scanning",
    );
  });

  test.each([
    ["json", false],
    ["text", true],
  ] as const)("come objects with log format %s and json %p", (format, json) => {
    const sink = new MemorySink();
    drive(sink, 6000, format, json);
    expect(sink.lines.map((line) => JSON.parse(line))).toEqual([
      {
        schema: 1,
        type: "progress",
        title: "verify",
        unit: "slots",
        done: "5000",
        total: "1000000",
        perSecond: 1000,
        leftMs: 995_000,
        ms: 5000,
        rows: [{ label: "shard 0", state: "scanning", done: "5000", total: "1000000" }],
      },
    ]);
  });
});

test("on a terminal rows are drawn in place and removed at the end", () => {
  const sink = new MemorySink(true);
  drive(sink, 3000, "text");
  expect(sink.text).toContain("\x1b[2A\r\x1b[J");
  expect(sink.text.endsWith("\x1b[2A\r\x1b[J\x1b[?25h")).toBe(true);
});

describe("RateMeter", () => {
  test("measures over the last seconds only", () => {
    const meter = new RateMeter();
    for (let atMs = 0; atMs <= 60_000; atMs += 100) meter.add(atMs, Math.min(atMs, 30_000));
    expect(meter.perSecond()).toBe(0);
    const steady = new RateMeter();
    for (let atMs = 0; atMs <= 60_000; atMs += 100) steady.add(atMs, atMs * 5);
    expect(steady.perSecond()).toBeCloseTo(5000, 6);
  });

  test("starts afresh when the count goes back", () => {
    const meter = new RateMeter();
    meter.add(0, 1000);
    meter.add(1000, 0);
    expect(meter.perSecond()).toBe(0);
    meter.add(2000, 10);
    expect(meter.perSecond()).toBeCloseTo(10, 6);
  });

  test("does not divide by no time", () => {
    const meter = new RateMeter();
    expect(meter.perSecond()).toBe(0);
    meter.add(5, 1);
    meter.add(5, 9);
    expect(meter.perSecond()).toBe(0);
  });
});
