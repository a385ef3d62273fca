// `armdb status` without a follower: what the files tell and what they do not, its exit codes, and that it leaves everything
// as it was. And with somebody else behind the socket. The follower itself is in follow-status.test.ts.

import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createStatusCommand, statusCommand } from "../../src/cli/commands/status.ts";
import { STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { controlSockets } from "../../src/io/control-socket.ts";
import { realNet } from "../../src/io/sockets.ts";
import { NO_OTHERS, NOTHING_KNOWN, saveState } from "../../src/store/state-file.ts";
import { OWN_NEW_FILES } from "../../src/store/ownership.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { asciiJson } from "../../src/status/ascii-json.ts";
import type { StatusDocument } from "../../src/status/status-types.ts";
import { FixtureCopy, FIXTURES } from "../audit/repair-support.ts";
import { Holder } from "../serve/holding.ts";
import { type CommandRun, runCommand } from "../support/run-command.ts";
import { TempRoot, treeOf } from "../support/temp.ts";
import { documentOf, viewOf } from "./facts.ts";
import { need } from "../support/needs.ts";

const HOUR_MS = 3_600_000;
const QUEUE_BYTES_MAX = 1024 * 1024;

function documentFrom(run: CommandRun): StatusDocument {
  expect(run.documents).toHaveLength(1);
  return run.documents[0] as StatusDocument;
}

async function statusOf(dir: string): Promise<{ status: number; document: StatusDocument }> {
  const run = await runCommand(statusCommand, [dir, "--json"]);
  return { status: run.status, document: documentFrom(run) };
}

/** A state file as a follower would leave it. */
function leaveState(dir: string, wallMs: number, leader = "10.0.0.5:7400"): void {
  const state = {
    leader,
    protocol: 1 as const,
    created: true,
    shards: [
      { ...NOTHING_KNOWN, shard: 0, lastFullScanAtMs: wallMs - HOUR_MS, divergedSlots: 2 },
      { ...NOTHING_KNOWN, shard: 1, lastFullScanAtMs: null, complete: false, divergedSlots: 0 },
    ],
    connectionsAtMs: [wallMs - 30 * HOUR_MS, wallMs - HOUR_MS, wallMs - 1000],
    savedAtMs: wallMs,
    others: NO_OTHERS,
  };
  saveState(realDisk, dir, state, OWN_NEW_FILES);
}

describe("status without a follower", () => {
  for (const name of FIXTURES) {
    test(`tells what the files of a follower tell, and changes nothing: ${name}`, async () => {
      using copy = new FixtureCopy(name, "follower-clean");
      const before = treeOf(copy.path);
      const { status, document } = await statusOf(copy.path);
      expect(status).toBe(5);
      expect(document).toMatchObject({ running: false, verdict: "stopped", leader: null });
      for (const shard of document.shards) {
        expect(shard).toMatchObject({
          state: "stopped",
          occupied: copy.slotsOf(shard.shard, STATUS_OCCUPIED).length,
          appliedTotal: expect.stringMatching(/^\d+$/),
          maxVersionSeen: expect.any(Number),
          lagMs: null,
          durableLagMs: null,
          lastFrameMsAgo: null,
          lastFullScanMsAgo: null,
          caughtUp: null,
          lastError: null,
        });
      }
      await runCommand(statusCommand, [copy.path]);
      expect(treeOf(copy.path)).toEqual(before);
    });
  }

  test("takes leader, last scan, diverged slots and connections from the state file", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    leaveState(copy.path, Date.now());
    const { document } = await statusOf(copy.path);
    expect(document).toMatchObject({ leader: "10.0.0.5:7400", protocol: 1, connectionsToday: 2 });
    const [first, second] = document.shards;
    expect(first?.divergedSlots).toBe(2);
    expect(first?.lastFullScanMsAgo).toBeGreaterThanOrEqual(HOUR_MS);
    expect(first?.lastFullScanMsAgo).toBeLessThan(HOUR_MS + 60_000);
    expect(second?.lastFullScanMsAgo).toBeNull();
  });

  const unknowns: [string, (copy: FixtureCopy) => void][] = [
    ["the clean flag is not set", (copy) => copy.poke(copy.file(0), 17, [0])],
    ["there is no sidecar", (copy) => rmSync(copy.file(0, "fixed.versions"))],
    ["the sidecar's crc is wrong", (copy) => copy.poke(copy.file(0, "fixed.versions"), 0, [1])],
    [
      "the sidecar is of another length",
      (copy) => writeFileSync(copy.file(0, "fixed.versions"), "x"),
    ],
    ["the header is damaged", (copy) => copy.poke(copy.file(0), 0, [0])],
  ];
  for (const [name, spoil] of unknowns) {
    test(`does not know how many records there are where ${name}`, async () => {
      using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
      spoil(copy);
      const { status, document } = await statusOf(copy.path);
      expect(status).toBe(5);
      expect(document.shards[0]?.occupied).toBeNull();
      expect(document.shards[1]?.occupied).toBeNumber();
    });
  }

  test("a state file of nonsense, or one that is no file, tells nothing", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    writeFileSync(join(copy.path, "armdb.state.json"), '{"leader":7}');
    expect((await statusOf(copy.path)).document.leader).toBeNull();
    rmSync(join(copy.path, "armdb.state.json"));
    symlinkSync("/etc/passwd", join(copy.path, "armdb.state.json"));
    expect((await statusOf(copy.path)).document.leader).toBeNull();
  });

  test("exit 10 where there is no database", async () => {
    using temp = new TempRoot("status");
    expect((await runCommand(statusCommand, [temp.fresh()])).status).toBe(10);
    expect((await runCommand(statusCommand, [temp.path])).status).toBe(10);
  });

  for (const mode of ["exclusive", "writing"] as const) {
    test.if(need("linux", process.platform === "linux"))(
      `is not sure where nobody answers and a process has it open: ${mode}`,
      async () => {
        using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
        await using holder = await Holder.start(mode, copy.path);
        const run = await runCommand(statusCommand, [copy.path, "--json"]);
        expect([run.status, run.error?.code, run.lines]).toEqual([5, "unknown", []]);
        expect(run.error?.message).toContain(`Process ${holder.pid} has "${copy.path}" open`);
      },
    );
  }

  test.if(need("linux", process.platform === "linux"))("says who serves it", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    await (await Holder.start("exclusive", copy.path)).kill();
    await using holder = await Holder.start("shared", copy.path);
    const { document } = await statusOf(copy.path);
    expect(document).toMatchObject({ verdict: "stopped", holder: { pid: holder.pid } });
    const { lines } = await runCommand(statusCommand, [copy.path]);
    expect(lines[1]).toContain(`process ${holder.pid} has`);
  });

  test("what lies at the socket's name and is none is nobody's: a link is not followed", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    using temp = new TempRoot("status");
    mkdirSync(temp.path, { recursive: true });
    let asked = 0;
    const path = temp.fresh("elsewhere");
    const elsewhere = controlSockets(realNet).listen({
      path,
      owner: null,
      sendQueueBytesMax: QUEUE_BYTES_MAX,
      accept: () => {
        asked++;
        return { opened: () => {}, received: () => {}, ended: () => {} };
      },
    });
    symlinkSync(path, join(copy.path, "armdb.sock"));
    expect((await statusOf(copy.path)).document.running).toBe(false);
    expect(asked).toBe(0);
    elsewhere.stop();
  });

  test("for people: a verdict, a table of 80 columns, and what to run next", async () => {
    using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    leaveState(copy.path, Date.now() - 8_000);
    const { lines, status } = await runCommand(statusCommand, [copy.path], { columns: 80 });
    expect(status).toBe(4);
    const blank = lines.indexOf("");
    expect(lines.slice(0, blank).join(" ")).toMatch(
      /^diverged: 1 of 2 shards differs from leader 10.0.0.5:7400; no follower runs here from its files, saved [89](\.\d)? s ago; the last leader was 10.0.0.5:7400 \(protocol 1\)$/,
    );
    expect(lines[blank + 1]).toBe(
      "shard  state         lag  records  slots  last scan  healed  diverged",
    );
    expect(lines[blank + 2]).toMatch(/^ {4}0 {2}stopped {2}1 h 00 m +\d+ +128 +1 h 00 m +- +2$/);
    const text = lines.join(" ");
    expect(text).toContain("shard 0: 2 slots differ from the leader (kept)");
    expect(text).toContain("to take the leader's, run armdb replicate 10.0.0.5:7400 --data");
    expect(text).not.toContain("by an earlier run");
    const watched = await runCommand(statusCommand, [copy.path, "--watch"], { closeAfterLines: 1 });
    expect([watched.status, watched.lines[0]]).toEqual([
      4,
      expect.stringMatching(/ diverged: 1 of 2 shards differs, and no follower runs$/),
    ]);
    for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
  });

  test("an IPv6 leader stands in brackets, as it was saved or not, and may be followed again", async () => {
    for (const leader of ["::1:21462", "[::1]:21462"]) {
      using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
      leaveState(copy.path, Date.now(), leader);
      const { lines } = await runCommand(statusCommand, [copy.path]);
      expect(lines.slice(1, 3).join(" ")).toContain("the last leader was [::1]:21462 (protocol 1)");
      expect(lines.join(" ")).toContain("run armdb replicate [::1]:21462 --data");
      expect((await statusOf(copy.path)).document.leader).toBe("[::1]:21462");
    }
  });
});

/** A socket in a follower's directory that answers each line like this; `null`: never. */
async function behindSocket(answer: string | null, run: (dir: string) => Promise<void>) {
  using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
  const listener = controlSockets(realNet).listen({
    path: join(copy.path, "armdb.sock"),
    owner: null,
    sendQueueBytesMax: QUEUE_BYTES_MAX,
    accept: () => ({
      opened: () => {},
      received: (link) => {
        if (answer !== null) link.send(Buffer.from(`${answer}\n`));
      },
      ended: () => {},
    }),
  });
  try {
    await run(copy.path);
  } finally {
    listener.stop();
  }
}

describe("status with somebody behind the socket", () => {
  const verdicts: [string, StatusDocument, number][] = [
    ["live", documentOf([viewOf()]), 0],
    ["behind", documentOf([viewOf({ state: "scanning", streaming: null })]), 4],
    ["stalled", documentOf([viewOf({ state: "stalled", lastError: "no heartbeat" })]), 4],
    ["diverged", documentOf([viewOf({ state: "diverged", divergedSlots: 1 })]), 4],
  ];
  for (const [verdict, document, exit] of verdicts) {
    test(`${verdict} is exit ${exit}`, async () => {
      await behindSocket(asciiJson(document), async (dir) => {
        const { status, document: shown } = await statusOf(dir);
        expect([status, shown.verdict]).toEqual([exit, verdict as "live"]);
        expect(shown).toEqual(document);
      });
    });
  }

  test("somebody without the lock who talks nonsense is unknown too, exit 5", async () => {
    await behindSocket("hello", async (dir) => {
      const run = await runCommand(statusCommand, [dir]);
      expect([run.status, run.error?.code]).toEqual([5, "unknown"]);
      expect(run.error?.message).toContain("Whoever listens");
    });
  });

  test.if(need("linux", process.platform === "linux"))(
    "a holder of the lock that talks nonsense is unknown, exit 5, and named",
    async () => {
      await behindSocket("hello", async (dir) => {
        await using holder = await Holder.start("exclusive", dir);
        const run = await runCommand(statusCommand, [dir]);
        expect(run.status).toBe(5);
        expect(run.error?.message).toContain(`process ${holder.pid}`);
        expect(run.error?.details.hint).toBeString();
      });
    },
  );

  test("a socket that we may not use is exit 5 with the way out", async () => {
    await behindSocket(null, async (dir) => {
      const forbidding = createStatusCommand({
        sockets: () => ({
          connect(path, lineBytesMax, events) {
            queueMicrotask(() => events.ended({ kind: "not-connected", reason: "EACCES" }));
            return { send: () => {}, close: () => {} };
          },
        }),
      });
      const run = await runCommand(forbidding, [dir]);
      expect([run.status, run.error?.code]).toEqual([5, "unknown"]);
      expect(run.error?.details.hint).toContain("sudo -u");
    });
  });

  test("a table of many states fits 80 columns and names what is wrong", async () => {
    const states = [
      viewOf({ occupied: 123_456_789, slots: 999_999_999 }),
      viewOf({
        shard: 1,
        state: "waiting",
        streaming: null,
        currentAtMs: 0,
        lastError: "no connection: ECONNREFUSED",
        activity: "no connection: ECONNREFUSED; again in 2.0 s",
      }),
      viewOf({
        shard: 2,
        state: "scanning",
        lastFullScanAtMs: null,
        complete: false,
        activity: "catching up",
      }),
      viewOf({
        shard: 254,
        state: "diverged",
        divergedSlots: 12_345,
        diverged: [{ slot: 7, kind: "missing", here: 41, there: null }],
        activity: "following the live stream",
      }),
      viewOf({ shard: 3, lastError: "\u001b[31mleader text\u202e" }),
    ];
    await behindSocket(asciiJson(documentOf(states)), async (dir) => {
      const { lines } = await runCommand(statusCommand, [dir], { columns: 80 });
      const text = lines.join(" ");
      for (const line of lines) {
        if (!line.includes(dir)) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
      }
      expect(text).toContain("shard 1: no connection: ECONNREFUSED; again in 2.0 s");
      expect(text).toContain("it has never caught up");
      expect(text).toContain("infinite");
      expect(text).toContain("diverged: 1 of 5 shards differs from leader 10.0.0.5:7400");
      expect(text).toContain(
        "shard 254: 12,345 slots differ from the leader (kept): slot 7 is extra here (v10, not at the leader), ...",
      );
      expect(text).toContain("Try: armdb compare");
      expect(text).not.toContain("\u001b");
      expect(text).not.toContain("\u202e");
    });
  });
});

describe("status --watch", () => {
  test("off a terminal it is a line each time, and ends with the signal's status", async () => {
    await behindSocket(asciiJson(documentOf([viewOf()])), async (dir) => {
      const controller = new AbortController();
      const run = runCommand(statusCommand, [dir, "--watch"], { stop: controller.signal });
      await Bun.sleep(0);
      controller.abort("SIGTERM");
      const { status, lines } = await run;
      expect(status).toBe(143);
      for (const line of lines) {
        expect(line).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC live: 1 of 1 shards live/);
      }
    });
  });

  test("ends when nobody reads any more", async () => {
    await behindSocket(asciiJson(documentOf([viewOf()])), async (dir) => {
      const options = { closeAfterLines: 1 };
      const { status, lines } = await runCommand(statusCommand, [dir, "--watch"], options);
      expect([status, lines.length]).toEqual([0, 1]);
    });
  });
});
