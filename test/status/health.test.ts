// /health and /ready: an idle leader is no lag, a dead one is not healthy, and every reason is named.

import { describe, expect, test } from "bun:test";
import type { ShardSnapshot } from "../../src/replica/follower-types.ts";
import { httpAnswer, type RouteFacts } from "../../src/status/http-routes.ts";
import type { StatusDocument } from "../../src/status/status-types.ts";
import { documentOf, NOW_MS, viewOf } from "./facts.ts";

const MAX_LAG_MS = 30_000;

function facts(document: StatusDocument): RouteFacts {
  const figures = { residentBytes: 1, cpuSeconds: 1, droppedLines: 0 };
  const identity = { version: "0.1.0", commit: "unknown", directory: "/replica" };
  return { status: () => document, process: () => figures, identity, maxLagMs: MAX_LAG_MS };
}

function ask(path: string, document: StatusDocument) {
  const { status, body, type } = httpAnswer(path, facts(document));
  return { status, type, body: JSON.parse(body) as Record<string, unknown> };
}

const NEWER = { slot: 7, kind: "older" as const, here: 37, there: 21 };

describe("/health", () => {
  const healthy: [string, Partial<ShardSnapshot>][] = [
    ["a live shard", {}],
    ["an idle leader, whose last heartbeat is 6 s ago", { currentAtMs: NOW_MS - 6_000 }],
    ["a re-scan on the way", { state: "scanning", streaming: null, currentAtMs: NOW_MS - 900 }],
    [
      "a polling shard within the lag that is allowed",
      { state: "polling", streaming: "polling", lastFullScanAtMs: NOW_MS - 20_000 },
    ],
  ];
  for (const [name, changes] of healthy) {
    test(`is 200 for ${name}`, () => {
      const { status, body, type } = ask("/health", documentOf([viewOf(changes)]));
      expect(status).toBe(200);
      expect(body).toMatchObject({ schema: 1, healthy: true, reasons: [], maxLagMs: MAX_LAG_MS });
      expect(type).toStartWith("application/json");
    });
  }

  const sick: [string, Partial<ShardSnapshot>, string][] = [
    ["a stalled shard", { state: "stalled", lastError: "no heartbeat for 16 s" }, "no heartbeat"],
    ["a failed shard", { state: "failed", lastError: "EIO" }, "failed: EIO"],
    [
      "a diverged shard",
      { state: "diverged", divergedSlots: 3 },
      "diverged: 3 slots differ from the leader (kept)",
    ],
    [
      "a diverged shard whose leader is away",
      { state: "waiting", streaming: null, divergedSlots: 1, diverged: [NEWER] },
      "diverged: 1 slot is newer here than at the leader (kept)",
    ],
    ["a diverged shard that scans", { state: "scanning", divergedSlots: 3 }, "diverged: 3 slots"],
    [
      "a lag above --max-lag",
      { currentAtMs: NOW_MS - 20_000, oldestUnsyncedAtMs: NOW_MS - 10_501 },
      "lag 30001 ms is above 30000 ms",
    ],
    [
      "a leader that is gone, once that is longer than --max-lag",
      { state: "waiting", streaming: null, currentAtMs: NOW_MS - 31_000 },
      "lag 31000 ms",
    ],
    [
      "a write that has hung for longer than --max-lag",
      { activity: "waiting 31 s for pwrite", call: { call: "pwrite", sinceMs: NOW_MS - 31_000 } },
      "live: waiting 31 s for pwrite",
    ],
    ["a shard that never caught up", { lastFullScanAtMs: null }, "never caught up"],
    ["a shard that stopped", { state: "stopped" }, "stopped"],
  ];
  for (const [name, changes, reason] of sick) {
    test(`is 503 for ${name}, and names the shard`, () => {
      const document = documentOf([viewOf(), viewOf({ shard: 1, ...changes })]);
      const { status, body } = ask("/health", document);
      expect(status).toBe(503);
      expect(body["reasons"]).toEqual([{ shard: 1, reason: expect.stringContaining(reason) }]);
    });
  }

  test("is 503 for a thread that fell silent", () => {
    const { status, body } = ask(
      "/health",
      documentOf([viewOf({}, { heardAtMs: NOW_MS - 20_000 })]),
    );
    expect([status, body["verdict"]]).toEqual([503, "stalled"]);
  });

  test("is 503 when the state file cannot be saved, and says why", () => {
    const saved = { atMs: null, failure: 'Cannot write "r/armdb.state.json": no space' };
    const { status, body } = ask("/health", documentOf([viewOf()], { saved }));
    expect(status).toBe(503);
    expect(body["reasons"]).toEqual([{ shard: null, reason: saved.failure }]);
  });

  test("is 503 while stopping and before the first shard", () => {
    expect(ask("/health", documentOf([viewOf()], { stopping: true })).status).toBe(503);
    expect(ask("/health", documentOf([])).status).toBe(503);
  });
});

describe("/ready", () => {
  test("is 200 once every shard is ready, whatever its state is since", () => {
    const scanning = viewOf({ state: "scanning", streaming: null });
    expect(ask("/ready", documentOf([scanning])).status).toBe(200);
  });

  test("is 503 with what is missing", () => {
    const document = documentOf([viewOf(), viewOf({ shard: 1, ready: false, state: "scanning" })]);
    const { status, body } = ask("/ready", document);
    expect(status).toBe(503);
    expect(body["reasons"]).toEqual([{ shard: 1, reason: "scanning: following the live stream" }]);
    expect(ask("/ready", documentOf([viewOf()], { shardCount: 4 })).status).toBe(503);
    expect(ask("/ready", documentOf([viewOf()], { stopping: true })).status).toBe(503);
    const first = viewOf({
      ready: false,
      state: "scanning",
      complete: false,
      activity: "catching up",
    });
    expect(ask("/ready", documentOf([first])).body["reasons"]).toEqual([
      { shard: 0, reason: "scanning: catching up; its first copy has not ended" },
    ]);
  });
});

describe("other paths", () => {
  test("/status.json is the status document", () => {
    const document = documentOf([viewOf()]);
    const { status, body } = ask("/status.json", document);
    expect([status, body]).toEqual([200, JSON.parse(JSON.stringify(document))]);
  });

  test("text of a leader leaves as printable ASCII", () => {
    const lastError = "\u001b[2J\u202e\u0000\uD800 é";
    const { body } = httpAnswer("/status.json", facts(documentOf([viewOf({ lastError })])));
    expect(body.replace(/\n$/, "")).toMatch(/^[\x20-\x7e]*$/);
    const parsed = JSON.parse(body) as StatusDocument;
    expect(parsed.shards[0]?.lastError).toBe(lastError);
  });

  test("an unknown path is 404 and lists what there is", () => {
    const { status, body } = httpAnswer("/etc/passwd", facts(documentOf([viewOf()])));
    expect(status).toBe(404);
    expect(body).toContain("/metrics");
  });
});
