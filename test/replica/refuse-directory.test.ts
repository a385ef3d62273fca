// Directories that nobody can follow into: replicate says what is wrong and where before it connects, ends with the exit code of
// cli.md, and leaves every byte as it was.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Armdb, replicateOnce, runArmdb } from "../support/armdb.ts";
import { dataTreeOf, RealScriptedLeader } from "../support/bad-leader.ts";
import { TempRoot, treeOf } from "../support/temp.ts";

const TEST_LIMIT_MS = 30_000;

interface Damage {
  readonly name: string;
  readonly exit: number;
  readonly says: RegExp;
  readonly to: (dir: string) => void;
}

const meta = (dir: string) => join(dir, "db.meta");
const data = (dir: string, shard = 0) => join(dir, `shard_00${shard}`, "fixed.data");

/** Overwrites bytes of a file. */
function patch(path: string, offset: number, bytes: readonly number[]): void {
  const all = readFileSync(path);
  all.set(bytes, offset);
  writeFileSync(path, all);
}

const DAMAGES: readonly Damage[] = [
  {
    name: "db.meta of 15 bytes",
    exit: 3,
    says: /db\.meta": it is not 16 bytes/,
    to: (dir) => truncateSync(meta(dir), 15),
  },
  {
    name: "db.meta of 17 bytes",
    exit: 3,
    says: /db\.meta": it is not 16 bytes/,
    to: (dir) => writeFileSync(meta(dir), Buffer.concat([readFileSync(meta(dir)), Buffer.of(0)])),
  },
  {
    name: "an empty db.meta",
    exit: 3,
    says: /db\.meta": it is not 16 bytes/,
    to: (dir) => truncateSync(meta(dir), 0),
  },
  {
    name: "db.meta with another magic",
    exit: 3,
    says: /does not begin with ARMD/,
    to: (dir) => patch(meta(dir), 0, [0x58]),
  },
  {
    name: "db.meta with 0 shards",
    exit: 3,
    says: /says 0 shards/,
    to: (dir) => patch(meta(dir), 6, [0]),
  },
  {
    name: "db.meta of version 3",
    exit: 13,
    says: /db\.meta version 3/,
    to: (dir) => patch(meta(dir), 4, [3]),
  },
  {
    name: "db.meta of another backend",
    exit: 13,
    says: /backend 2; only FixedStore/,
    to: (dir) => patch(meta(dir), 5, [2]),
  },
  {
    name: "a header with another magic",
    exit: 3,
    says: /shard_001.*does not begin with FIXD/,
    to: (dir) => patch(data(dir, 1), 0, [0x58]),
  },
  {
    name: "a header of version 9",
    exit: 3,
    says: /shard_001.*version 9/,
    to: (dir) => patch(data(dir, 1), 4, [9]),
  },
  {
    name: "a header whose slot size does not fit",
    exit: 3,
    says: /shard_000.*slot size 40 does not fit/,
    to: (dir) => patch(data(dir), 6, [40, 0]),
  },
  {
    name: "a header of another shard",
    exit: 3,
    says: /shard_001.*says shard 0/,
    to: (dir) => patch(data(dir, 1), 16, [0]),
  },
  {
    name: "a shard with other lengths than its siblings",
    exit: 3,
    // Slots stay 32 bytes long, and the file as long as its header says.
    says: /shard_001.*keys of 9 and values of 15 bytes, the other shards have 8 and 16/,
    to: (dir) => patch(data(dir, 1), 12, [9, 0, 15, 0]),
  },
  {
    name: "a file that ends inside its header",
    exit: 3,
    says: /shard_001.*ends inside its header/,
    to: (dir) => truncateSync(data(dir, 1), 4000),
  },
  {
    name: "a file shorter than its header says",
    exit: 3,
    says: /shard_000.*100 slots, 7296 bytes; the file has 7295/,
    to: (dir) => truncateSync(data(dir), 7295),
  },
  {
    name: "files of version 1 throughout",
    exit: 13,
    says: /fixed\.data version 1.*0\.1\.7 to 0\.1\.12/,
    to: (dir) => [0, 1].forEach((shard) => patch(data(dir, shard), 4, [1])),
  },
  {
    name: "one file of version 1 among others of version 2",
    exit: 3,
    says: /shard_001.*version 1/,
    to: (dir) => patch(data(dir, 1), 4, [1]),
  },
  {
    name: "a data file that is a symbolic link",
    exit: 15,
    says: /fixed\.data".*symbolic link/,
    to: (dir) => {
      renameSync(data(dir), join(dir, "elsewhere"));
      symlinkSync("../elsewhere", data(dir));
    },
  },
  {
    name: "no db.meta among other files",
    exit: 10,
    says: /is not empty and holds no db\.meta/,
    to: (dir) => {
      for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true });
      writeFileSync(join(dir, "letter.txt"), "dear reader");
    },
  },
];

describe("replicate --once does not follow into", () => {
  let temp: TempRoot;
  let replica = "";
  let leader: RealScriptedLeader;
  let connectionsBefore = 0;

  beforeAll(async () => {
    temp = new TempRoot("refuse-directory");
    replica = temp.fresh("replica");
    leader = RealScriptedLeader.good();
    const made = await replicateOnce(leader.address, replica);
    expect(made.status).toBe(0);
  });
  afterAll(() => {
    leader[Symbol.dispose]();
    temp[Symbol.dispose]();
  });
  beforeEach(() => {
    connectionsBefore = leader.connections;
  });

  /** The leader was not even called. */
  const expectNoConnection = () => expect(leader.connections).toBe(connectionsBefore);

  for (const { name, exit, says, to } of DAMAGES) {
    test(
      `${name}: exit ${exit}`,
      async () => {
        const dir = await temp.copyOf(replica);
        to(dir);
        const before = treeOf(dir);
        const run = await replicateOnce(leader.address, dir);
        expect(run.error).toMatchObject({ exit, message: expect.stringMatching(says) });
        expect(String(run.error?.["hint"])).not.toBe("");
        expect(run.status).toBe(exit);
        expect(treeOf(dir)).toEqual(before);
        expectNoConnection();
      },
      TEST_LIMIT_MS,
    );
  }

  test("a file: exit 10", async () => {
    const path = temp.fresh("file");
    writeFileSync(path, "a file");
    const run = await replicateOnce(leader.address, path);
    expect(run.error).toMatchObject({ code: "no-database", exit: 10 });
    expect(run.error?.["message"]).toMatch(/is not a directory/);
    expect(run.status).toBe(10);
    expect(readFileSync(path, "utf8")).toBe("a file");
    expectNoConnection();
  });

  test("a symbolic link to a directory: exit 10", async () => {
    const [real, link] = [temp.fresh("real"), temp.fresh("link")];
    mkdirSync(real);
    symlinkSync(real, link);
    const run = await replicateOnce(leader.address, link);
    expect(run.error).toMatchObject({ code: "no-database", exit: 10 });
    expect(run.status).toBe(10);
    expect(readdirSync(real)).toEqual([]);
    expectNoConnection();
  });

  test("a directory with data and no cursor, as a leader's own: exit 2, and --adopt is the way", async () => {
    const dir = await temp.copyOf(replica);
    for (const name of ["shard_000/fixed_repl.cursor", "shard_001/fixed_repl.cursor"]) {
      rmSync(join(dir, name));
    }
    for (const name of ["armdb.state.json", "db.lock"]) rmSync(join(dir, name));
    const before = treeOf(dir);
    const run = await replicateOnce(leader.address, dir);
    expect(run.error).toMatchObject({
      code: "usage",
      exit: 2,
      message: expect.stringMatching(/holds data but no cursor/),
      hint: expect.stringMatching(/--adopt/),
    });
    expect(run.status).toBe(2);
    expect(treeOf(dir)).toEqual(before);
    expectNoConnection();

    const adopted = await replicateOnce(leader.address, dir, ["--adopt"]);
    expect(adopted.status).toBe(0);
  });

  test("a directory that another follower holds: exit 11, with its pid", async () => {
    const dir = await temp.copyOf(replica);
    await using holder = Armdb.replicate(leader.address, dir);
    await holder.ready();
    const before = dataTreeOf(dir);
    const connections = leader.connections;
    const run = await replicateOnce(leader.address, dir);
    expect(run.error).toMatchObject({ code: "locked", exit: 11 });
    expect(run.error?.["message"]).toContain(`process ${holder.pid}`);
    expect(run.status).toBe(11);
    expect(leader.connections).toBe(connections);
    // --force is for processes that take no lock: a lock is never broken.
    const forced = await replicateOnce(leader.address, dir, ["--force"]);
    expect(forced.error).toMatchObject({ code: "locked", exit: 11 });
    expect(dataTreeOf(dir)).toEqual(before);
    expect((await holder.stop()).status).toBe(0);
  });

  test("no address, or none that can be one: exit 2", async () => {
    const dir = temp.fresh("new");
    for (const words of [
      ["replicate", "--data", dir],
      ["replicate", "no-port", "--data", dir],
      ["replicate", "host:0", "--data", dir],
      ["replicate", "host:70000", "--data", dir],
      ["replicate", leader.address],
    ]) {
      const run = await runArmdb([...words, "--once", "--json"]);
      expect({ words, status: run.status }).toEqual({ words, status: 2 });
      expect(run.error).toMatchObject({ code: "usage", exit: 2 });
    }
    expect(treeOf(dir)).toBeNull();
    expectNoConnection();
  });
});
