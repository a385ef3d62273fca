// The conversation between `armdb compare` and the follower that runs on the directory, over a real unix socket.

import { describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import {
  followerCompare,
  FollowerMute,
  type CompareRequest,
} from "../../src/audit/compare/request.ts";
import { Stopped } from "../../src/audit/stopped.ts";
import { compareDocument } from "../../src/cli/render/compare.ts";
import { ArmdbError } from "../../src/errors.ts";
import { realNet } from "../../src/io/sockets.ts";
import { lineSockets } from "../../src/io/unix-socket.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { SimProcess } from "../support/sim-process.ts";
import { TempDirectory } from "./repair-support.ts";

const REQUEST: CompareRequest = {
  leader: { host: "::1", port: 7400 },
  rounds: 2,
  waitMs: 500,
  shard: null,
};

const DOCUMENT = {
  schema: 1,
  command: "compare",
  verdict: "differs",
  healed: true,
  truncated: false,
  stopped: false,
  shards: [
    { shard: 0, compared: 128, whole: true, differs: 1 },
    { shard: 1, compared: 0, whole: false, differs: 0, reason: "the leader refused" },
  ],
  differences: [
    {
      shard: 0,
      slot: 5,
      kind: "older",
      here: { status: "occupied", version: 3 },
      there: { status: "deleted", version: 4 },
    },
  ],
};

/** A follower that answers the first line it gets with these bytes, then keeps the link or ends it. */
class Follower extends TempDirectory {
  readonly socketPath = join(this.path, "armdb.sock");
  readonly asked: string[] = [];
  readonly clock = new ManualClock();
  #server: Server | null = null;

  async listen(answer: string | null, then: "ends" | "stays" = "ends"): Promise<void> {
    const server = createServer((socket) => {
      let text = "";
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        text += String(chunk);
        if (!text.endsWith("\n")) return;
        this.asked.push(text);
        if (answer !== null) socket.write(answer);
        if (answer !== null && then === "ends") socket.end();
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.socketPath, resolve));
  }

  compare(stop = new AbortController().signal, progress: unknown[] = [], shown = () => {}) {
    const show = (rows: readonly unknown[]) => {
      progress.push(...rows);
      shown();
    };
    return followerCompare(lineSockets(realNet), this.clock).compare(
      this.socketPath,
      REQUEST,
      show,
      stop,
    );
  }

  override [Symbol.dispose](): void {
    this.#server?.close();
    super[Symbol.dispose]();
  }
}

async function failure(promise: Promise<unknown>): Promise<ArmdbError> {
  try {
    await promise;
  } catch (thrown) {
    if (thrown instanceof ArmdbError) return thrown;
    throw thrown;
  }
  throw new Error("it should have failed");
}

describe("followerCompare", () => {
  test("asks in one line, shows progress, and gives back the follower's document", async () => {
    using follower = new Follower();
    const row = { shard: 0, round: 1, done: 5, total: 10 };
    const progress = JSON.stringify({ type: "progress", shards: [row, { shard: "x" }] });
    await follower.listen(`${progress}\n${JSON.stringify(DOCUMENT)}\n`);
    const shown: unknown[] = [];
    const report = await follower.compare(undefined, shown);
    expect(follower.asked).toEqual([
      '{"schema":1,"request":"compare","leader":"[::1]:7400","rounds":2,"waitMs":500,"shard":null}\n',
    ]);
    expect(shown).toEqual([row]);
    expect(report === null ? null : compareDocument(report)).toEqual(DOCUMENT);
  });

  test("no socket and nobody behind it mean that no follower runs", async () => {
    using follower = new Follower();
    expect(await follower.compare()).toBeNull();
  });

  test("an error of the follower comes out as it was meant", async () => {
    using follower = new Follower();
    const error = {
      type: "error",
      code: "usage",
      message: "it follows db2:7400",
      hint: "db2:7400",
    };
    await follower.listen(`${JSON.stringify(error)}\n`);
    const { code, message, details } = await failure(follower.compare());
    expect({ code, message, hint: details.hint }).toEqual({
      code: "usage",
      message: "it follows db2:7400",
      hint: "db2:7400",
    });
  });

  const bad: Readonly<Record<string, string>> = {
    "no JSON": "hello\n",
    "an end without a document": "",
    "a document of another command": '{"schema":1,"command":"status"}\n',
    "a difference of an unknown kind": `${JSON.stringify({
      ...DOCUMENT,
      differences: [{ ...DOCUMENT.differences[0], kind: "odd" }],
    })}\n`,
    "a shard that is none": `${JSON.stringify({ ...DOCUMENT, shards: [{ shard: -1 }] })}\n`,
    "an error of an unknown code": '{"type":"error","code":"toString","message":"x"}\n',
  };
  for (const [what, answer] of Object.entries(bad)) {
    test(`${what} is exit 5, never a result`, async () => {
      using follower = new Follower();
      await follower.listen(answer);
      expect((await failure(follower.compare())).exitStatus).toBe(5);
    });
  }

  test.each([
    ["5 s", 5_000, null],
    ["30 s", 30_000, `${JSON.stringify({ type: "progress", shards: [] })}\n`],
  ])("a follower that says nothing for %s is mute", async (limit, limitMs, firstWord) => {
    using follower = new Follower();
    await follower.listen(firstWord, "stays");
    const progress = Promise.withResolvers<void>();
    const ended = follower
      .compare(undefined, [], progress.resolve)
      .catch((thrown: unknown) => thrown);
    if (firstWord !== null) await progress.promise;
    follower.clock.advance(limitMs - 1);
    expect(follower.clock.pendingTimers).toBe(1);
    follower.clock.advance(1);
    expect(await ended).toEqual(new FollowerMute(`no answer within ${limit}`));
    expect(follower.clock.pendingTimers).toBe(0);
  });

  test("one that was suspended itself hears the answer that came meanwhile", async () => {
    using follower = new Follower();
    await follower.listen(`${JSON.stringify(DOCUMENT)}\n`);
    const held = new SimProcess(follower.clock, new MemoryNet(follower.clock));
    held.stop();
    const sockets = lineSockets(realNet);
    const { signal } = new AbortController();
    const asking = followerCompare(sockets, held.clock).compare(
      follower.socketPath,
      REQUEST,
      () => {},
      signal,
    );
    follower.clock.advance(60_000);
    held.goOn();
    expect((await asking)?.verdict).toBe("differs");
  });

  test("a signal ends the wait", async () => {
    using follower = new Follower();
    await follower.listen(null);
    const stop = new AbortController();
    const wait = follower.compare(stop.signal);
    stop.abort("SIGINT");
    await expect(wait).rejects.toBeInstanceOf(Stopped);
  });
});
