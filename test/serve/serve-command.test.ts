// `armdb serve` as a whole, on real sockets: its lines, its refusals, its end.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serveCommand } from "../../src/cli/commands/serve.ts";
import { ArmdbError } from "../../src/errors.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock } from "../../src/io/time.ts";
import { takeLock } from "../../src/store/lock.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { CommandRun } from "./command-context.ts";
import { Holder, TempDirectory } from "./holding.ts";
import { TestFollower } from "./test-follower.ts";
import { need } from "../support/needs.ts";

const LIMIT_MS = 30_000;
const ANY_PORT = { listen: "127.0.0.1:0" };

async function start(dir: string, options: Record<string, string | boolean> = ANY_PORT) {
  const run = new CommandRun({ DIR: dir }, options);
  const finished = serveCommand.run(run.context);
  const listening = await Promise.race([
    run.document(({ type }) => type === "listening"),
    finished.then(() => {
      throw new Error("ended before it listened");
    }),
  ]);
  const at = String(listening["at"]);
  return { run, finished, at, port: Number(at.slice(at.lastIndexOf(":") + 1)) };
}

async function refusal(
  dir: string,
  options: Record<string, string | boolean>,
): Promise<ArmdbError> {
  const thrown = await serveCommand.run(new CommandRun({ DIR: dir }, options).context).then(
    () => null,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(ArmdbError);
  return thrown as ArmdbError;
}

test(
  "serves two followers of both protocols, says so in JSON lines, and stops with 0",
  async () => {
    using temp = new TempDirectory();
    const { run, finished, port, at } = await start(temp.fixture("8x16-2-shards", "leader-clean"));
    expect(at).toBe(`127.0.0.1:${port}`);
    for (const [shard, protocol] of [
      [0, 1],
      [1, 2],
    ] as const) {
      const follower = new TestFollower(realNet, realClock, port, { shard, protocol, flags: 0 });
      await follower.until(() => follower.caughtUp !== null);
      expect(follower.info?.slotCount).toBe(128);
    }
    const refused = new TestFollower(realNet, realClock, port, { shard: 9, protocol: 2, flags: 0 });
    await refused.until(() => refused.end !== null);
    expect(refused.errorText).toBe("invalid shard_id");
    run.stop();
    expect(await finished).toBe(0);
    const states = run.documents.map(({ type, shard, state }) => [type, shard, state]);
    expect(states.filter(([, , state]) => state !== "ended")).toEqual([
      ["listening", undefined, undefined],
      ["follower", 0, "scanning"],
      ["follower", 0, "live"],
      ["follower", 1, "scanning"],
      ["follower", 1, "live"],
      ["follower", 9, "refused"],
    ]);
    expect(states.filter(([, , state]) => state === "ended")).toHaveLength(3);
    expect(run.documents.every(({ schema }) => schema === 1)).toBe(true);
    expect(run.said.at(-1)).toBe("info: Stopped");
  },
  LIMIT_MS,
);

test(
  "leaves every byte of the directory alone and creates no file",
  async () => {
    using temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "leader-dirty");
    const look = () =>
      ["db.meta", "shard_000/fixed.data", "shard_001/fixed.data"].map((name) =>
        readFileSync(join(dir, name)).toString("hex"),
      );
    const before = look();
    const names = realDisk.list(dir);
    const { run, finished, port } = await start(dir);
    const follower = new TestFollower(realNet, realClock, port, {
      shard: 0,
      protocol: 2,
      flags: 0,
    });
    await follower.until(() => follower.caughtUp !== null);
    run.stop();
    await finished;
    expect(look()).toEqual(before);
    expect(realDisk.list(dir)).toEqual(names);
  },
  LIMIT_MS,
);

test(
  "holds db.lock shared while it serves, and lets go of it",
  async () => {
    using temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "leader-clean");
    takeLock(realDisk, dir, "exclusive").release();
    const { run, finished } = await start(dir);
    expect(() => takeLock(realDisk, dir, "exclusive")).toThrow("served or read by");
    run.stop("SIGINT");
    expect(await finished).toBe(0);
    takeLock(realDisk, dir, "exclusive").release();
  },
  LIMIT_MS,
);

test(
  "says that a file was changed while it is served",
  async () => {
    using temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "leader-clean");
    const { run, finished } = await start(dir);
    const path = join(dir, "shard_001/fixed.data");
    const bytes = readFileSync(path);
    bytes[17] = 0;
    writeFileSync(path, bytes);
    const changed = await run.document(({ type }) => type === "changed");
    expect(changed).toMatchObject({ shard: 1, path });
    await run.heard("not at rest");
    run.stop();
    await finished;
  },
  LIMIT_MS,
);

test(
  "warns of torn slots once per shard, and names them",
  async () => {
    using temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "leader-clean");
    const path = join(dir, "shard_000/fixed.data");
    const bytes = readFileSync(path);
    bytes[4096 + 20] = (bytes[4096 + 20] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const { run, finished, port } = await start(dir);
    for (let round = 0; round < 2; round++) {
      const follower = new TestFollower(realNet, realClock, port, {
        shard: 0,
        protocol: 2,
        flags: 0,
      });
      await follower.until(() => follower.caughtUp !== null);
    }
    run.stop();
    await finished;
    const warnings = run.said.filter(
      (line) => line.startsWith("warn") && line.includes("checksum"),
    );
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("1 slot (0)");
  },
  LIMIT_MS,
);

describe("is refused", () => {
  test("without --listen, with exit 2", async () => {
    using temp = new TempDirectory();
    const error = await refusal(temp.fixture("8x16-2-shards", "leader-clean"), {});
    expect([error.exitStatus, error.details.hint]).toEqual([
      2,
      expect.stringContaining("--listen"),
    ]);
  });

  test("where there is no database, with exit 10", async () => {
    using temp = new TempDirectory();
    expect((await refusal(temp.path, ANY_PORT)).exitStatus).toBe(10);
  });

  test("on an address that is taken, with exit 2", async () => {
    using temp = new TempDirectory();
    const dir = temp.fixture("8x16-2-shards", "leader-clean");
    const first = await start(dir);
    expect((await refusal(dir, { listen: first.at })).exitStatus).toBe(2);
    first.run.stop();
    await first.finished;
  });

  test.if(need("linux", process.platform === "linux"))(
    "while another process holds it locked, with exit 11 and its pid",
    async () => {
      using temp = new TempDirectory();
      const dir = temp.fixture("8x16-2-shards", "leader-clean");
      await using holder = await Holder.start("exclusive", dir);
      const error = await refusal(dir, { ...ANY_PORT, force: true });
      expect([error.exitStatus, error.message]).toEqual([
        11,
        expect.stringContaining(`process ${holder.pid}`),
      ]);
    },
    LIMIT_MS,
  );

  test.if(need("linux", process.platform === "linux"))(
    "while another process has a file open for writing, unless forced",
    async () => {
      using temp = new TempDirectory();
      const dir = temp.fixture("8x16-2-shards", "leader-clean");
      await using holder = await Holder.start("writing", dir);
      const error = await refusal(dir, ANY_PORT);
      expect([error.exitStatus, error.message]).toEqual([
        11,
        expect.stringContaining(`process ${holder.pid}`),
      ]);
      const { run, finished } = await start(dir, { ...ANY_PORT, force: true });
      expect(run.said.some((line) => line.includes("followers miss what it writes"))).toBe(true);
      run.stop();
      expect(await finished).toBe(0);
    },
    LIMIT_MS,
  );
});
