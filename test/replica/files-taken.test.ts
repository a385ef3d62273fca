// Files that are taken away, cut or replaced under a follower of a real leader, idle and with writes: the shard ends with 15 and
// names the file, nothing is called good order, and what lies at the name now stays as it is.

import { describe, expect, test } from "bun:test";
import {
  cpSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { oracleAvailable, type OracleLeader } from "../support/oracle.ts";
import { LoopImage } from "../support/loop-image.ts";
import { has, need } from "../support/needs.ts";
import { ReplicaStage } from "../support/replica-stage.ts";
import { treeOf } from "../support/temp.ts";

const LIMIT_MS = 120_000;
/** A second until the next look; the rest is what a busy machine takes. */
const NOTICED_MS = 5_000;
const NOTICED_IN_HEADER_MS = 15_000;
const HEADER_BYTES = 4096;
const SLOT_BYTES = 32;

interface Place {
  readonly dir: string;
  readonly data: string;
  /** A copy of the directory with fewer records. */
  readonly older: string;
  readonly away: string;
}

interface Row {
  readonly done: string;
  /** Returns what must stay as it is from then on; null: nothing is there. */
  readonly run: (place: Place) => string | null;
  readonly said: string;
  /** How many of the two shards fail. */
  readonly shards: 1 | 2;
  readonly limitMs?: number;
  /** What must stay as it is has its own files beside. */
  readonly hasOwn?: boolean;
}

const ROWS: readonly Row[] = [
  {
    done: "the data file is removed",
    run: ({ data }) => {
      rmSync(data);
      return data;
    },
    said: "it was removed or renamed",
    shards: 1,
  },
  {
    done: "an older copy takes the data file's place",
    run: ({ data, older }) => {
      renameSync(join(older, "shard_000/fixed.data"), data);
      return data;
    },
    said: "another file lies at that name",
    shards: 1,
  },
  {
    done: "the data file is emptied",
    run: ({ data }) => {
      truncateSync(data, 0);
      return null;
    },
    said: "it was cut to",
    shards: 1,
  },
  {
    done: "the data file is cut to 100 slots",
    run: ({ data }) => {
      truncateSync(data, HEADER_BYTES + 100 * SLOT_BYTES);
      return null;
    },
    said: "it was cut to",
    shards: 1,
  },
  {
    done: "the header is zeroed",
    run: ({ data }) => {
      const descriptor = openSync(data, "r+");
      writeSync(descriptor, new Uint8Array(HEADER_BYTES), 0, HEADER_BYTES, 0);
      return null;
    },
    said: "its header",
    shards: 1,
    limitMs: NOTICED_IN_HEADER_MS,
  },
  {
    done: "the shard's directory is moved away",
    run: ({ dir, away }) => {
      renameSync(join(dir, "shard_000"), away);
      return join(dir, "shard_000");
    },
    said: "it was removed or renamed",
    shards: 1,
  },
  {
    done: "the directory is moved away",
    run: ({ dir, away }) => {
      renameSync(dir, away);
      return dir;
    },
    said: "it was removed or renamed",
    shards: 2,
  },
  {
    done: "the directory is moved away, and an older copy takes its place",
    run: ({ dir, away, older }) => {
      renameSync(dir, away);
      renameSync(older, dir);
      return dir;
    },
    said: "another directory lies at that name",
    shards: 2,
  },
  {
    done: "the directory is removed",
    run: ({ dir }) => {
      rmSync(dir, { recursive: true });
      return dir;
    },
    said: "it was removed or renamed",
    shards: 2,
  },
  {
    done: "db.lock is removed",
    run: ({ dir }) => {
      rmSync(join(dir, "db.lock"));
      return dir;
    },
    said: "it was removed or renamed",
    shards: 2,
    hasOwn: true,
  },
  {
    done: "db.meta is replaced by an equal file of another length",
    run: ({ dir }) => {
      const path = join(dir, "db.meta");
      const bytes = readFileSync(path);
      rmSync(path);
      writeFileSync(path, new Uint8Array([...bytes, 0]));
      return dir;
    },
    said: "db.meta",
    shards: 2,
    hasOwn: true,
  },
  {
    done: "db.lock is replaced",
    run: ({ dir, away }) => {
      renameSync(join(dir, "db.lock"), away);
      writeFileSync(join(dir, "db.lock"), "1\n");
      return dir;
    },
    said: "another file lies at that name",
    shards: 2,
    hasOwn: true,
  },
];

/** Puts as a busy leader has them, until it is disposed of. */
async function busy(leader: OracleLeader, run: () => Promise<void>): Promise<void> {
  const puts = leader.rate(300, 4, 7, 400);
  await Bun.sleep(1_500);
  await run();
  await puts;
}

/** A tree as it is; where the follower still has its own files there, without what it writes by descriptor, and its socket. */
function standing(path: string, hasOwn: boolean): unknown {
  const tree = treeOf(path);
  if (tree === null) return null;
  const isOwn = (name: string) => hasOwn && /armdb\.sock|fixed\.data$/.test(name);
  return Object.fromEntries(Object.entries(tree).filter(([name]) => !isOwn(name)));
}

async function follow(row: Row, withWrites: boolean): Promise<void> {
  await using stage = new ReplicaStage("0.6.1");
  const leader = await stage.leader();
  await leader.fill(0, 400, 1);
  const dir = stage.path("replica");
  const follower = stage.follower(leader, dir);
  await follower.ready();
  await stage.converged(follower, dir, await leader.digest(), NOTICED_MS);
  const older = stage.path("older");
  cpSync(await stage.copy(dir), older, { recursive: true });
  // A copy is a replica too: these are what a cursor or a state file would overwrite.
  writeFileSync(join(older, "shard_000/fixed_repl.cursor"), "not ours");
  writeFileSync(join(older, "armdb.state.json"), "not ours");
  writeFileSync(join(older, "armdb.sock"), "not ours");
  await leader.fill(400, 200, 2);
  await stage.converged(follower, dir, await leader.digest(), NOTICED_MS);
  const place = { dir, older, data: stage.shardFile(dir, 0), away: stage.path("away") };

  const check = async () => {
    const from = follower.mark;
    const startedMs = performance.now();
    const kept = row.run(place);
    const before = kept === null ? null : standing(kept, row.hasOwn === true);
    const limitMs = row.limitMs ?? NOTICED_MS;
    await follower.line({ type: "shard", shard: 0, state: "failed" }, from, limitMs);
    if (row.shards === 2)
      await follower.line({ type: "shard", shard: 1, state: "failed" }, from, limitMs);
    expect(performance.now() - startedMs).toBeLessThan(limitMs);
    const run = row.shards === 2 ? await follower.ended() : await follower.stop();
    expect([run.status, run.error?.["code"]]).toEqual([15, "storage"]);
    expect(run.error?.["message"]).toContain(row.said);
    expect(run.error?.["message"]).toContain(`"${dir}`);
    expect(run.stderr).not.toContain("Stopped. Every shard is closed.");
    if (kept !== null) expect(standing(kept, row.hasOwn === true)).toEqual(before);
  };
  if (withWrites) await busy(leader, check);
  else await check();
}

describe.if(oracleAvailable())("files under a follower", () => {
  for (const row of ROWS) {
    test.concurrent(`${row.done}, idle`, () => follow(row, false), LIMIT_MS);
    test.concurrent(`${row.done}, with writes`, () => follow(row, true), LIMIT_MS);
  }
});

/** EXT4_IOC_SHUTDOWN without a flush: the file system is gone, as after an error that it does not go on from. */
const SHUT_DOWN = `import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))`;

describe.if(oracleAvailable() && need("loop devices", LoopImage.available()) && has("python3"))(
  "a file system that is gone under a follower",
  () => {
    test.concurrent(
      "is noticed while the leader is idle",
      async () => {
        await using stage = new ReplicaStage("0.6.1");
        const leader = await stage.leader();
        await leader.fill(0, 400, 1);
        await using image = await LoopImage.create(stage.path("image"), 64);
        const dir = `${image.root}/replica`;
        await using follower = stage.follower(leader, dir, [], { launcher: image.inside });
        await follower.ready();
        const from = follower.mark;
        run([...image.inside, "python3", "-c", SHUT_DOWN, image.root]);
        await follower.line({ type: "shard", shard: 0, state: "failed" }, from, NOTICED_MS);
        await follower.line({ type: "shard", shard: 1, state: "failed" }, from, NOTICED_MS);
        const { status, error } = await follower.ended();
        expect([status, error?.["code"]]).toEqual([15, "storage"]);
      },
      LIMIT_MS,
    );
  },
);

function run(words: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...words]);
  if (exitCode !== 0) throw new Error(`${words.join(" ")}: ${stderr.toString()}`);
}
