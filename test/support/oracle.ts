// Drives the program in test/oracle: the real armdb crate, in three versions, as
// leader, follower and reader. See its main.rs for the modes and the digest.

import { createHash } from "node:crypto";
import { type OracleVersion, oraclePaths } from "../oracle/build.ts";
import { OracleProcess, type Answer, number, text, flag } from "../oracle/process.ts";

export {
  ORACLE_VERSIONS,
  type OracleVersion,
  buildOracle,
  oracleAvailable,
} from "../oracle/build.ts";

/** The pairs of key and value sizes that are compiled in. */
export const ORACLE_SIZES = [
  { key: 4, value: 3 },
  { key: 8, value: 16 },
  { key: 8, value: 64 },
  { key: 8, value: 20000 },
  { key: 16, value: 100 },
  { key: 32, value: 1000 },
] as const;

export interface OracleGeometry {
  readonly shards: number;
  readonly prefixBits: number;
  readonly key: number;
  readonly value: number;
  readonly growStep?: number;
}

export interface Digest {
  readonly count: number;
  readonly digest: string;
}

export interface OracleStatus {
  readonly count: number;
  /** How often the crate's follower said that a shard caught up. */
  readonly caughtUp: number;
  /** Warnings and errors that the crate logged. */
  readonly troubles: number;
}

export interface LeaderOptions extends OracleGeometry {
  readonly version: OracleVersion;
  readonly dir: string;
  /** "127.0.0.1:0" unless told; a fixed port lets a leader come back where it was. */
  readonly listen?: string;
  /** Words before the program's own, such as those of nsenter. */
  readonly launcher?: readonly string[];
}

export interface FollowerOptions extends OracleGeometry {
  readonly version: OracleVersion;
  readonly dir: string;
  readonly leader: string;
}

const ANSWER_DEADLINE_MS = 60_000;

function shapeArguments(shape: OracleGeometry): string[] {
  const list = ["--shards", shape.shards, "--prefix-bits", shape.prefixBits];
  list.push("--key", shape.key, "--value", shape.value);
  if (shape.growStep !== undefined) list.push("--grow-step", shape.growStep);
  return list.map(String);
}

function launch(
  version: OracleVersion,
  args: readonly string[],
  launcher: readonly string[] = [],
): OracleProcess {
  const paths = oraclePaths();
  if (paths === null) throw new Error("the oracle is not built: bun test/oracle/build.ts");
  return new OracleProcess([...launcher, paths[version], ...args]);
}

/** Runs a mode that answers once and exits. */
export async function oracleOnce(
  version: OracleVersion,
  args: readonly string[],
  deadlineMs = ANSWER_DEADLINE_MS,
): Promise<Answer> {
  await using run = launch(version, args);
  const answer = await run.answer(deadlineMs);
  await run.ended(deadlineMs);
  return answer;
}

/** What leader and follower have in common. */
abstract class OracleSession implements AsyncDisposable {
  protected constructor(
    protected readonly run: OracleProcess,
    readonly dir: string,
  ) {}

  get pid(): number {
    return this.run.pid;
  }

  /** The last of what the program wrote to stderr. */
  get log(): string {
    return this.run.stderrTail;
  }

  protected ask(command: string, deadlineMs = ANSWER_DEADLINE_MS): Promise<Answer> {
    return this.run.ask(command, deadlineMs);
  }

  async get(keyHex: string): Promise<string | null> {
    const answer = await this.ask(`get ${keyHex}`);
    return answer["value"] === null ? null : text(answer, "value");
  }

  async digest(deadlineMs?: number): Promise<Digest> {
    return toDigest(await this.ask("digest", deadlineMs));
  }

  /** Writes sorted lines `hexkey hexvalue`; returns how many. */
  async dump(path: string): Promise<number> {
    return number(await this.ask(`dump ${path}`), "count");
  }

  async count(): Promise<number> {
    return number(await this.ask("count"), "count");
  }

  async status(): Promise<OracleStatus> {
    const answer = await this.ask("status");
    return {
      count: number(answer, "count"),
      caughtUp: number(answer, "caughtUp"),
      troubles: number(answer, "troubles"),
    };
  }

  async flush(): Promise<void> {
    await this.ask("flush");
  }

  /** A clean shutdown. */
  async close(deadlineMs = ANSWER_DEADLINE_MS): Promise<void> {
    await this.ask("close", deadlineMs);
    await this.run.ended(deadlineMs);
  }

  /** Exits at once, without a clean shutdown and without an answer. */
  async abort(): Promise<void> {
    this.run.tell("abort");
    await this.run.ended(ANSWER_DEADLINE_MS);
  }

  signal(name: NodeJS.Signals): void {
    this.run.signal(name);
  }

  async kill(): Promise<void> {
    await this.run.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run.kill();
  }
}

export class OracleLeader extends OracleSession {
  private constructor(
    run: OracleProcess,
    dir: string,
    /** HOST:PORT */
    readonly address: string,
  ) {
    super(run, dir);
  }

  get port(): number {
    return Number(this.address.slice(this.address.lastIndexOf(":") + 1));
  }

  static async start(options: LeaderOptions): Promise<OracleLeader> {
    const args = ["leader", "--dir", options.dir, ...shapeArguments(options)];
    if (options.listen !== undefined) args.push("--listen", options.listen);
    const run = launch(options.version, args, options.launcher);
    const greeting = await run.answer(ANSWER_DEADLINE_MS);
    return new OracleLeader(run, options.dir, text(greeting, "listening"));
  }

  /** Returns whether the key was there before. */
  async put(keyHex: string, valueHex: string): Promise<boolean> {
    return flag(await this.ask(`put ${keyHex} ${valueHex}`), "existed");
  }

  async del(keyHex: string): Promise<boolean> {
    return flag(await this.ask(`del ${keyHex}`), "existed");
  }

  /** Puts the keys of the integers from `from` on, with values made from `seed`. */
  async fill(from: number, count: number, seed: number, deadlineMs?: number): Promise<void> {
    await this.ask(`fill ${from} ${count} ${seed}`, deadlineMs);
  }

  /** Deletes the keys of these integers; returns how many were there. */
  async delrange(from: number, count: number): Promise<number> {
    return number(await this.ask(`delrange ${from} ${count}`), "deletes");
  }

  /** Puts (80 %) and deletes over the keys of the integers below `keys`. */
  async churn(
    ops: number,
    seed: number,
    keys: number,
    deadlineMs?: number,
  ): Promise<{ puts: number; deletes: number }> {
    const answer = await this.ask(`churn ${ops} ${seed} ${keys}`, deadlineMs);
    return { puts: number(answer, "puts"), deletes: number(answer, "deletes") };
  }

  /** Paced puts; resolves when the time is over, with how many it really did. */
  async rate(
    putsPerSecond: number,
    seconds: number,
    seed: number,
    keys: number,
  ): Promise<{ puts: number; ms: number }> {
    const deadlineMs = seconds * 1000 + ANSWER_DEADLINE_MS;
    const answer = await this.ask(`rate ${putsPerSecond} ${seconds} ${seed} ${keys}`, deadlineMs);
    return { puts: number(answer, "puts"), ms: number(answer, "ms") };
  }

  /** As `rate`, and every `markMs` a put of one more key, `marked` in hex, whose value begins with the time. */
  async rateMarked(
    putsPerSecond: number,
    seconds: number,
    seed: number,
    keys: number,
    markMs: number,
  ): Promise<{ marked: string; puts: number; ms: number }> {
    const deadlineMs = seconds * 1000 + ANSWER_DEADLINE_MS;
    const words = `rate ${putsPerSecond} ${seconds} ${seed} ${keys} ${markMs}`;
    const answer = await this.ask(words, deadlineMs);
    const [puts, ms] = [number(answer, "puts"), number(answer, "ms")];
    return { marked: text(answer, "marked"), puts, ms };
  }
}

export class OracleFollower extends OracleSession {
  static async start(options: FollowerOptions): Promise<OracleFollower> {
    const args = ["follower", "--dir", options.dir, "--leader", options.leader];
    const run = launch(options.version, args.concat(shapeArguments(options)));
    await run.answer(ANSWER_DEADLINE_MS);
    return new OracleFollower(run, options.dir);
  }

  /**
   * Polls until the contents have this digest or the time is out; returns the last
   * digest seen. With a count, digests are computed only while the counts agree.
   */
  async waitdigest(wanted: string, timeoutMs: number, count?: number): Promise<Digest> {
    const command = `waitdigest ${wanted} ${timeoutMs} ${count ?? ""}`;
    return toDigest(await this.ask(command, timeoutMs + ANSWER_DEADLINE_MS));
  }
}

/** A network of a given round trip before a leader. */
export class OracleDelay implements AsyncDisposable {
  readonly #run: OracleProcess;
  /** HOST:PORT */
  readonly address: string;

  private constructor(run: OracleProcess, address: string) {
    this.#run = run;
    this.address = address;
  }

  static async start(leader: string, roundTripMs: number): Promise<OracleDelay> {
    const words = ["delayproxy", "--leader", leader, "--rtt-ms", String(roundTripMs)];
    const run = launch("0.15.0", words);
    return new OracleDelay(run, text(await run.answer(ANSWER_DEADLINE_MS), "listening"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run.kill();
  }
}

/** Opens a directory at rest with the crate. `keepDirty` leaves it as a crash would. */
export async function oracleDigest(
  dir: string,
  shape: OracleGeometry,
  version: OracleVersion,
  { keepDirty = false, deadlineMs = ANSWER_DEADLINE_MS } = {},
): Promise<Digest> {
  const args = ["digest", "--dir", dir, ...shapeArguments(shape)];
  const words = keepDirty ? [...args, "--keep-dirty"] : args;
  return toDigest(await oracleOnce(version, words, deadlineMs));
}

/** Writes a directory at rest as sorted lines `hexkey hexvalue`; returns how many. */
export async function oracleDump(
  dir: string,
  shape: OracleGeometry,
  version: OracleVersion,
  path: string,
  { keepDirty = false } = {},
): Promise<number> {
  const args = ["dump", path, "--dir", dir, ...shapeArguments(shape)];
  const answer = await oracleOnce(version, keepDirty ? [...args, "--keep-dirty"] : args);
  return number(answer, "count");
}

export type WrapTarget =
  | { readonly shard: number; readonly slot: number }
  | { readonly all: true; readonly shard?: number };

/** Sets the version of one slot or of all OCCUPIED ones; returns how many. */
export async function oracleWrapVersion(
  dir: string,
  target: WrapTarget,
  slotVersion: number,
  version: OracleVersion = "0.1.14",
): Promise<number> {
  const args = ["wrapversion", "--dir", dir, "--version", String(slotVersion)];
  if (target.shard !== undefined) args.push("--shard", String(target.shard));
  if ("slot" in target) args.push("--slot", String(target.slot));
  else args.push("--all");
  return number(await oracleOnce(version, args), "changed");
}

/** The digest that the oracle would give for these records, in any order. */
export function digestOf(records: Iterable<readonly [Uint8Array, Uint8Array]>): Digest {
  const sorted = [...records].sort(([a], [b]) => Buffer.compare(a, b));
  const hash = createHash("sha256");
  for (const [key, value] of sorted) hash.update(key).update(value);
  return { count: sorted.length, digest: hash.digest("hex") };
}

function toDigest(answer: Answer): Digest {
  return { count: number(answer, "count"), digest: text(answer, "digest") };
}
