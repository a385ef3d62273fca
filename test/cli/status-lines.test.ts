// A follower's status for people, line by line.

import { describe, expect, test } from "bun:test";
import { statusLines } from "../../src/cli/render/status.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import { documentOf, NOW_MS, viewOf } from "../status/facts.ts";

function linesOf(shards: Parameters<typeof documentOf>[0]): string[] {
  const style = { palette: createPalette(false), columns: 132, dir: "replica" };
  return statusLines(documentOf(shards), style);
}

describe("a follower of many shards", () => {
  const waiting = (shard: number) => {
    const activity = `no connection: ECONNREFUSED; again in ${shard}.5 s`;
    return viewOf({ shard, state: "waiting", streaming: null, activity });
  };
  const failed = viewOf({ shard: 5, state: "failed", activity: "no space" });

  test("has the worst shards first, and counts them by state", () => {
    const lines = linesOf([viewOf(), ...[1, 2, 3, 4].map(waiting), failed]);
    expect(lines[0]).toStartWith("stalled: 1 of 6 shards is failed, 4 are waiting, 1 is live");
    const rows = lines.slice(4, 10).map((line) => line.trim().split(/ +/).slice(0, 2).join(" "));
    expect(rows.join(", ")).toBe("5 failed, 1 waiting, 2 waiting, 3 waiting, 4 waiting, 0 live");
  });

  test("says once what holds for several of them, and of one when it is tried again", () => {
    const notes = linesOf([viewOf(), ...[1, 2, 3, 4].map(waiting), failed]).slice(11);
    expect(notes.slice(0, 2)).toEqual([
      "shard 5: no space",
      "shards 1 to 4: no connection: ECONNREFUSED",
    ]);
    expect(linesOf([viewOf(), waiting(1)]).join("\n")).toContain(
      "shard 1: no connection: ECONNREFUSED; again in 1.5 s",
    );
  });
});

test("the second line says who, since when, and how far a scan is", () => {
  const scan = {
    ...({ link: 1, kind: "first", why: "first", phase: "scanning" } as const),
    ...{ ms: 1_000, slot: 25_999 },
  };
  const counts = { slots: 1_000_000, scanned: 13_000, occupied: 13_000, protocol: 2 as const };
  const scanning = viewOf({ state: "scanning", scan, shownAtMs: NOW_MS, ...counts });
  const about = linesOf([scanning])[1];
  expect(about).toStartWith("PID 4711, up 2 m 00 s, protocol 1, 3 of 1,000 connections today, ");
  expect(about).toEndWith("catch-up 2.6 %, 13,000 records/s, 38 s left");
});
