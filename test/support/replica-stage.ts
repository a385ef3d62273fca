// A place for a real leader, a replica and copies of both: fresh directories below one root, leaders that come back where they
// were, and the question that the tests of staleness ask: when do the replica's contents equal the leader's, as the crate
// reads them.

import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shardDirectory } from "../../src/format/routing.ts";
import { FollowerProcess, type FollowerOptions } from "./follower-process.ts";
import {
  type Digest,
  type OracleGeometry,
  OracleLeader,
  oracleDigest,
  type OracleVersion,
} from "./oracle.ts";

/** Two shards of small records: 32 bytes a slot. */
export const SMALL: OracleGeometry = {
  shards: 2,
  prefixBits: 0,
  key: 8,
  value: 16,
  growStep: 50_000,
};

/** A pause between two looks at a digest. */
const LOOK_INTERVAL_MS = 250;

export class ReplicaStage implements AsyncDisposable {
  readonly root: string;
  readonly shape: OracleGeometry;
  readonly version: OracleVersion;
  #next = 0;

  private constructor(root: string, shape: OracleGeometry, version: OracleVersion) {
    this.root = root;
    this.shape = shape;
    this.version = version;
  }

  static async open(version: OracleVersion, shape: OracleGeometry = SMALL): Promise<ReplicaStage> {
    const root = await mkdtemp(join(tmpdir(), "armdb-replica-"));
    return new ReplicaStage(root, shape, version);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  /** A path that nothing uses yet. */
  path(name: string): string {
    return join(this.root, `${name}-${this.#next++}`);
  }

  /** A leader on `dir`, a new one unless told. */
  leader(dir: string = this.path("leader"), listen?: string): Promise<OracleLeader> {
    const { version, shape } = this;
    return OracleLeader.start({
      ...shape,
      version,
      dir,
      ...(listen === undefined ? {} : { listen }),
    });
  }

  /** A follower of `leader` into `dir`. */
  follower(
    leader: { readonly address: string },
    dir: string,
    args: readonly string[] = [],
    more: Partial<FollowerOptions> = {},
  ): FollowerProcess {
    return new FollowerProcess({ leader: leader.address, dir, args, ...more });
  }

  /** A copy of a directory, whoever has it open. */
  async copy(dir: string, name = "copy"): Promise<string> {
    const target = this.path(name);
    await cp(dir, target, { recursive: true });
    return target;
  }

  /** The digest of a directory at rest, read by the crate as it lies there. */
  digest(dir: string): Promise<Digest> {
    return oracleDigest(dir, this.shape, this.version, { keepDirty: true });
  }

  /** The digest of a directory that is in use, read by the crate from a copy. */
  async digestInUse(dir: string): Promise<Digest> {
    const copy = await this.copyData(dir);
    const digest = await this.digest(copy);
    await rm(copy, { recursive: true });
    return digest;
  }

  /** A copy of what the crate reads: not of a socket, nor of files that come and go. */
  async copyData(dir: string): Promise<string> {
    const target = this.path("look");
    const wanted = /(shard_\d+|fixed\.data|db\.meta|fixed\.versions)$/;
    await cp(dir, target, {
      recursive: true,
      filter: (source) => source === dir || wanted.test(source),
    });
    return target;
  }

  /** Waits until the follower's directory has the leader's contents; how long it took, ms. */
  async converged(follower: FollowerProcess, dir: string, wanted: Digest, limitMs: number): Promise<number> {
    const startedMs = performance.now();
    for (;;) {
      const mark = follower.mark;
      const seen = await this.digestInUse(dir);
      const tookMs = performance.now() - startedMs;
      if (seen.digest === wanted.digest && seen.count === wanted.count) return tookMs;
      if (tookMs > limitMs) {
        const said = follower.lines.slice(-12).map((line) => JSON.stringify(line));
        throw new Error(
          `after ${Math.round(tookMs)} ms the replica has ${seen.count} records, the leader ${wanted.count}, ` +
            `and their digests differ; the follower said\n${said.join("\n")}\n${follower.log.slice(-3000)}`,
        );
      }
      // Another look when something was said, or after a while: the stream brings news without a line.
      await follower.line("news", () => true, mark, LOOK_INTERVAL_MS).catch(() => {});
    }
  }

  /** The bytes of a shard's data file. */
  readShard(dir: string, shard: number): Promise<Buffer> {
    return readFile(this.shardFile(dir, shard));
  }

  shardFile(dir: string, shard: number): string {
    return join(dir, shardDirectory(shard), "fixed.data");
  }
}
