// Progress: bars that fit a terminal, plain lines per interval elsewhere, objects for scripts.

import { describe, expect, test } from "bun:test";
import type { ProgressRow } from "../../src/cli/surface/surface.ts";
import { createDisplay } from "../../src/cli/surface/display.ts";
import { glyphsOf } from "../../src/cli/surface/glyphs.ts";
import { createMessages } from "../../src/cli/surface/messages.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import {
  type ProgressFacts,
  progressLine,
  progressScreen,
} from "../../src/cli/surface/progress.ts";
import type { Pace } from "../../src/cli/surface/schedule.ts";
import { screenLines } from "../../src/cli/surface/progress-screen.ts";
import { RateMeter } from "../../src/cli/surface/rate.ts";
import { withoutTimes } from "../support/line-times.ts";
import { MemorySink, runFake } from "./fake-machine.ts";

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

/** What a terminal of that size shows. */
function linesOf(of: ProgressFacts, columns: number, rows: number, env = { LANG: "C.UTF-8" }) {
  const style = { columns, rows, palette: PLAIN, glyphs: glyphsOf(env) };
  return screenLines(progressScreen(of), style);
}

describe("progressScreen()", () => {
  const rows = [
    row(0, 500_000, 1_000_000),
    row(1, 1_000_000, 1_000_000, "live"),
    row(12, 40, 0, "connecting"),
  ];

  test.each([40, 80, 132])("at %d columns", (columns) => {
    const lines = linesOf(facts(rows), columns, 24);
    expect(lines.join("\n")).toMatchSnapshot();
  });

  test("is never wider than the terminal nor higher", () => {
    const many = Array.from({ length: 255 }, (_, shard) => row(shard, shard * 1e6, 255e6));
    for (const columns of [20, 21, 30, 47, 64, 80, 200]) {
      for (const screenRows of [4, 10, 24]) {
        const lines = linesOf(facts(many), columns, screenRows);
        expect(lines.length).toBeLessThan(Math.max(screenRows, 4));
        for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThan(columns);
      }
    }
  });

  test("shows what is not finished first when not all rows fit", () => {
    const many = Array.from({ length: 30 }, (_, shard) => row(shard, shard < 20 ? 10 : 5, 10));
    const text = linesOf(facts(many), 80, 12).join("\n");
    expect(text).toContain("shard 20");
    expect(text).not.toContain("shard 0 ");
    expect(text).toContain("and 22 more");
  });

  test.each([
    [{ LC_ALL: "C", LANG: "de_DE.UTF-8" }, false],
    [{}, false],
    [{ LANG: "C.UTF-8", TERM: "vt100" }, false],
    [{ LC_ALL: "", LC_CTYPE: "en_US.utf8", LANG: "C", TERM: "xterm-256color" }, true],
  ] as const)("has signs that are not ASCII only where they can be shown: %j", (env, isWide) => {
    const text = linesOf(facts(rows), 80, 24, { LANG: "C", ...env }).join("\n");
    // biome-ignore lint: control characters are ASCII too
    expect(/[^\x00-\x7f]/.test(text)).toBe(isWide);
    if (!isWide) expect(text).toContain("##......");
  });

  test("escapes foreign labels", () => {
    const hostile = { ...row(0, 1, 2), label: "\x1b[2J", state: "a\nb" };
    const text = linesOf(facts([hostile]), 80, 24).join("\n");
    expect(text).toContain("\\x1b[2J");
    expect(text).toContain("a\\nb");
  });
});

test("progressLine() says all in one line", () => {
  const rows = [row(0, 500_000, 1_000_000), row(1, 1_000_000, 1_000_000, "live")];
  expect(progressLine(facts(rows))).toBe(
    "catch-up: 75 %, 1,500,000 of 2,000,000 slots, 150 k slots/s, 34 s left; 1 scanning, 1 live",
  );
});

/** Drives a progress through the messages for `durationMs`, an update a second. */
function drive(
  sink: MemorySink,
  durationMs: number,
  format: "text" | "json",
  json = false,
  pace: Pace = null,
) {
  let nowMs = 0;
  const display = sink.isTerminal ? createDisplay(sink, () => () => {}) : null;
  const messages = createMessages({
    sink,
    palette: PLAIN,
    styled: false,
    display,
    level: "info",
    format,
    json,
    journal: false,
    glyphs: glyphsOf({ LANG: "C.UTF-8" }),
    pace,
    confirm: null,
    nowMs: () => nowMs,
    wallMs: () => 0,
  });
  const progress = messages.progress("verify");
  for (; nowMs <= durationMs; nowMs += 1000) progress.update([row(0, nowMs, 1_000_000)]);
  progress.stop();
}

describe("off a terminal", () => {
  test("comes a plain line after 5, 10, 20, 40, 60 s, then each minute, without escape codes", () => {
    const sink = new MemorySink();
    drive(sink, 180_000, "text");
    expect(sink.lines.length).toBe(7);
    expect(sink.text).not.toContain("\x1b");
    expect(withoutTimes(sink.lines[0] ?? "")).toBe(
      "verify: 0 %, 5,000 of 1,000,000 slots, 1 k slots/s, 16 m 35 s left; 1 scanning",
    );
  });

  test.each([
    ["json", false],
    ["text", true],
  ] as const)("comes an object each 5 s with log format %s and json %p", (format, json) => {
    const sink = new MemorySink();
    drive(sink, 16_000, format, json);
    const objects = sink.lines.map((line) => JSON.parse(line));
    expect(objects[0]).toEqual({
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
    });
    expect(objects.map(({ ms }) => ms)).toEqual([5_000, 10_000, 15_000]);
  });
});

describe("--progress", () => {
  test.each([true, false])("off tells nothing, on a terminal (%p) neither", (isTerminal) => {
    const sink = new MemorySink(isTerminal);
    drive(sink, 180_000, "text", false, "off");
    expect(sink.text).toBe("");
  });

  test("with a time tells so often, and draws on a terminal as ever", () => {
    const sink = new MemorySink();
    drive(sink, 180_000, "text", false, { everyMs: 30_000 });
    expect(sink.lines).toHaveLength(6);
    const terminal = new MemorySink(true);
    drive(terminal, 10_000, "text", false, { everyMs: 30_000 });
    expect(terminal.text).toContain("verify");
  });

  test("is a time above 0, or off, from wherever it comes", async () => {
    for (const given of [["--progress", "0"], ["--progress=soon"]]) {
      const { status, stderr } = await runFake(["verify", "nowhere", ...given]);
      expect([status, stderr]).toEqual([2, expect.stringContaining("--progress")]);
    }
    for (const text of ["off", "500ms", "2m"]) {
      const { status } = await runFake(["verify", "nowhere"], { env: { ARMDB_PROGRESS: text } });
      expect(status).toBe(10);
    }
    const config = await runFake(["config", "repair", "--json"], {
      env: { ARMDB_PROGRESS: "10s" },
    });
    expect(config.stdout).toContain("ARMDB_PROGRESS");
  });
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
