// A place for one real leader at a time, its replica, and copies of both; and the question that the tests of staleness ask: when
// are the replica's contents, as the crate reads them, the leader's.

import { cp, rm } from "node:fs/promises";
import { shardDirectory } from "../../src/format/routing.ts";
import { Armdb, type ArmdbOptions } from "./armdb.ts";
import {
  type Digest,
  type OracleGeometry,
  OracleLeader,
  oracleDigest,
  type OracleVersion,
} from "./oracle.ts";
import { TempRoot } from "./temp.ts";

/** Two shards of small records: 32 bytes a slot. */
export const TWO_SHARDS: OracleGeometry = {
  shards: 2,
  prefixBits: 0,
  key: 8,
  value: 16,
  growStep: 50_000,
};

const LIMIT_MS = 180_000;

/** Words before a program's own that end it with the test's process, however that ends. */
const TIED = Bun.which("setpriv") === null ? [] : ["setpriv", "--pdeathsig", "KILL"];

/** The stream brings news without a word: another look after this, at the earliest. */
const LOOK_AGAIN_MS = 250;

export class ReplicaStage implements AsyncDisposable {
  readonly shape: OracleGeometry;
  readonly version: OracleVersion;
  readonly #temp: TempRoot;
  readonly #running: AsyncDisposable[] = [];

  constructor(version: OracleVersion, shape: OracleGeometry = TWO_SHARDS) {
    this.version = version;
    this.shape = shape;
    this.#temp = new TempRoot("replica");
  }

  /** Ends what still runs, the youngest first, and removes every directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#running.reverse()) await one[Symbol.asyncDispose]();
    this.#temp[Symbol.dispose]();
  }

  /** A path that nothing uses yet. */
  path(name: string): string {
    return this.#temp.fresh(name);
  }

  /** A leader on `dir`, a new one unless told, of the stage's program unless told. */
  async leader(
    dir: string = this.path("leader"),
    listen?: string,
    version: OracleVersion = this.version,
  ): Promise<OracleLeader> {
    const { shape } = this;
    const at = listen === undefined ? {} : { listen };
    const leader = await OracleLeader.start({ ...shape, version, dir, ...at });
    this.#running.push(leader);
    return leader;
  }

  /** A follower of `leader` into `dir`. */
  follower(
    leader: { readonly address: string },
    dir: string,
    args: readonly string[] = [],
    options: ArmdbOptions = {},
  ): Armdb {
    const launcher = [...TIED, ...(options.launcher ?? [])];
    const all = { limitMs: LIMIT_MS, ...options, launcher };
    const follower = Armdb.replicate(leader.address, dir, args, all);
    this.#running.push(follower);
    return follower;
  }

  /** A copy of the database in a directory, whoever has it open. */
  async copy(dir: string, name = "copy"): Promise<string> {
    const target = this.path(name);
    // Not our own files: a socket cannot be copied, and some come and go.
    const wanted = /(shard_\d+|fixed\.data|db\.meta|fixed\.versions)$/;
    const filter = (source: string) => source === dir || wanted.test(source);
    await cp(dir, target, { recursive: true, filter });
    return target;
  }

  /** The digest of a directory at rest, read by the crate as it lies there. */
  digest(dir: string): Promise<Digest> {
    return oracleDigest(dir, this.shape, this.version, { keepDirty: true });
  }

  /** The digest of a directory that is in use, read by the crate from a copy. */
  async digestInUse(dir: string): Promise<Digest> {
    const copy = await this.copy(dir, "look");
    const digest = await this.digest(copy);
    await rm(copy, { recursive: true });
    return digest;
  }

  /** Waits until the follower's directory holds this; throws with what the follower said when it takes longer. */
  async converged(follower: Armdb, dir: string, wanted: Digest, limitMs: number): Promise<void> {
    const startedMs = performance.now();
    for (;;) {
      const lookedAtMs = performance.now();
      const seen = await this.digestInUse(dir);
      if (seen.digest === wanted.digest && seen.count === wanted.count) return;
      const tookMs = Math.round(performance.now() - startedMs);
      if (tookMs > limitMs) {
        const said = follower.lines.slice(-12).map((line) => JSON.stringify(line));
        throw new Error(
          `after ${tookMs} ms the replica has ${seen.count} records, its leader ${wanted.count}, ` +
            `and the digests differ; the follower said\n${said.join("\n")}\n${follower.stderr.slice(-3000)}`,
        );
      }
      // A look costs a core as long as it takes: the follower needs it too.
      await Bun.sleep(Math.max(LOOK_AGAIN_MS, performance.now() - lookedAtMs));
    }
  }

  /** The path of a shard's data file. */
  shardFile(dir: string, shard: number): string {
    return `${dir}/${shardDirectory(shard)}/fixed.data`;
  }
}
