// What the tests of replicate with real leaders share: a root for their directories, leaders of the crate, followers of ours,
// and the comparison of what the two hold. Everything is gone when the stage is disposed of.

import { expect } from "bun:test";
import { Armdb, type ArmdbRun, replicateOnce } from "./armdb.ts";
import {
  type Digest,
  oracleDigest,
  type OracleGeometry,
  OracleLeader,
  type OracleVersion,
} from "./oracle.ts";
import { contentsDigest, shardsOf } from "./replica-contents.ts";
import { TempRoot } from "./temp.ts";

export const BUILD_LIMIT_MS = 20 * 60_000;
/** For one test with real leaders, the wait for its turn included. */
export const FOLLOW_LIMIT_MS = 120_000;
/** Most of such a test is waiting; more than this at once would only slow the others down on two cores. */
export const FOLLOWS_AT_ONCE = 3;
const CONVERGE_LIMIT_MS = 60_000;
const LOOK_AGAIN_MS = 20;

/** Small and quick, with a growth now and then. */
export const SMALL: OracleGeometry = {
  shards: 3,
  prefixBits: 0,
  key: 8,
  value: 16,
  growStep: 1000,
};

export class FollowStage implements AsyncDisposable {
  readonly temp: TempRoot;
  readonly #running: AsyncDisposable[] = [];

  constructor(name: string) {
    this.temp = new TempRoot(name);
  }

  fresh(name?: string): string {
    return this.temp.fresh(name);
  }

  /** Starts a leader; in a new directory unless told. */
  async leader(
    version: OracleVersion,
    shape: OracleGeometry = SMALL,
    at: { readonly dir?: string; readonly listen?: string } = {},
  ): Promise<OracleLeader> {
    const dir = at.dir ?? this.fresh("leader");
    const leader = await OracleLeader.start({
      ...shape,
      version,
      dir,
      ...(at.listen === undefined ? {} : { listen: at.listen }),
    });
    this.#running.push(leader);
    return leader;
  }

  /** Starts a follower. */
  start(leader: string, dir: string, more: readonly string[] = []): Armdb {
    const follower = Armdb.replicate(leader, dir, more);
    this.#running.push(follower);
    return follower;
  }

  /** Starts a follower and waits until it is ready. */
  async follower(leader: string, dir: string, more: readonly string[] = []): Promise<Armdb> {
    const follower = this.start(leader, dir, more);
    await follower.ready();
    return follower;
  }

  /** `replicate --once`, which has to end well. */
  async once(leader: string, dir: string, more: readonly string[] = []): Promise<ArmdbRun> {
    const run = await replicateOnce(leader, dir, more);
    if (run.status !== 0) throw new Error(`--once ended with ${run.status}: ${run.stderr}`);
    return run;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((one) => one[Symbol.asyncDispose]()));
    this.temp[Symbol.dispose]();
  }
}

/** Looks again and again until the value passes; returns the last value seen either way. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  passes: (value: T) => boolean,
  limitMs = CONVERGE_LIMIT_MS,
): Promise<T> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const value = await look();
    if (passes(value) || performance.now() >= endMs) return value;
    await Bun.sleep(LOOK_AGAIN_MS);
  }
}

/** Waits until the files of `dir` hold what the leader, which is quiet now, holds. Returns what that is. */
export async function expectConverged(leader: OracleLeader, dir: string): Promise<Digest> {
  const wanted = await leader.digest();
  const reached = await eventually(
    () => contentsDigest(dir),
    (digest) => digest.digest === wanted.digest,
  );
  expect(reached).toEqual(wanted);
  return wanted;
}

/** Stops a follower in good order. */
export async function expectGoodStop(follower: Armdb): Promise<void> {
  const { status, stderr } = await follower.stop();
  expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
}

/** What a shard closed in good order looks like: flag, a sidecar that says what the slots say, a cursor. */
export function expectClosedClean(dir: string): void {
  const shards = shardsOf(dir);
  const wanted = { cleanShutdown: 1, sidecarAgrees: true, torn: [] };
  expect(
    shards.map(({ header, sidecarAgrees, torn }) => ({
      cleanShutdown: header.cleanShutdown,
      sidecarAgrees,
      torn,
    })),
  ).toEqual(shards.map(() => wanted));
}

/** The crate opens `dir` as it lies and finds these contents. On a copy, as opening changes the files. */
export async function expectCrateReads(
  stage: FollowStage,
  dir: string,
  shape: OracleGeometry,
  version: OracleVersion,
  wanted: Digest,
  { keepDirty = false } = {},
): Promise<void> {
  const copy = await stage.temp.copyOf(dir);
  expect(await oracleDigest(copy, shape, version, { keepDirty })).toEqual(wanted);
}
/** Waits until each shard's scan has come so far. */
export async function scannedSlots(
  follower: Armdb,
  shardCount: number,
  least: number,
): Promise<void> {
  await follower.line(({ type, shards }) => {
    if (type !== "progress" || !Array.isArray(shards) || shards.length < shardCount) return false;
    return (shards as Record<string, unknown>[]).every(
      (shard) => Number(shard["scanned"]) >= least,
    );
  });
}
