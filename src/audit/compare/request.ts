// compare done by the follower that runs on the directory: its connections are the leader's only ones, so it scans again
// itself, records what differs before it applies it, and answers over its socket. This is the asking
// side and the words both sides use. What comes over the socket is checked before it is believed.
//
//   client:    {"schema":1,"request":"compare","leader":"host:port","rounds":2,"waitMs":2000,"shard":null}
//   follower:  {"type":"progress","shards":[{"shard":0,"round":1,"done":500,"total":1000}]}      at once, then every 5 s or sooner
//              {"schema":1,"command":"compare","verdict":...,"healed":true,...}   the document of cli.md, last
//   or         {"type":"error","code":"unknown","message":"...","hint":"..."}                 in place of the document

import { ArmdbError, type ErrorCode, EXIT_STATUS } from "../../errors.ts";
import { type Address, formatAddress } from "../../io/address.ts";
import type { Clock, Timer } from "../../io/clock.ts";
import { deadline } from "../../io/deadline.ts";
import type { LineEnd, LineLink, LineSockets } from "../../io/unix-socket.ts";
import {
  COMPARE_WORD_INTERVAL_MS,
  DIFFERENCES_MAX,
  LEADER_TEXT_CHARS_MAX,
  SHARDS_MAX,
  SLOT_COUNT_MAX,
} from "../../limits.ts";
import { VERSION_MAX } from "../../format/slot.ts";
import type { CompareProgress } from "./compare.ts";
import {
  type ComparedShard,
  type CompareReport,
  compareVerdict,
  type ShardDifference,
} from "./report.ts";
import { DIFFERENCE_KINDS, type DifferenceKind } from "./kinds.ts";
import { type SideWord, sideWordOf } from "../look/side-word.ts";
import { Stopped } from "../stopped.ts";

/** The socket of a running follower (cli.md: Files of ours in DIR). */
export const SOCKET_FILE = "armdb.sock";

/** A million differences at some 200 bytes each. */
const REPLY_BYTES_MAX = 256 * 1024 * 1024;

/** What is asked of the follower. */
export interface CompareRequest {
  /** The leader to compare with: the follower refuses when it follows another. */
  readonly leader: Address;
  readonly rounds: number;
  readonly waitMs: number;
  readonly shard: number | null;
}

/** The one line of a request. */
function encodeCompareRequest({ leader, rounds, waitMs, shard }: CompareRequest): string {
  const name = formatAddress(leader);
  return JSON.stringify({ schema: 1, request: "compare", leader: name, rounds, waitMs, shard });
}

/** Compares by the follower on a directory. */
export interface FollowerCompare {
  /**
   * The follower's report. Null when nobody listens at the socket: then no follower runs there. Throws what the
   * follower answered as an error, Stopped, FollowerMute, and `unknown` for an answer that cannot be understood.
   */
  compare(
    socketPath: string,
    request: CompareRequest,
    progress: (rows: readonly CompareProgress[]) => void,
    stop: AbortSignal,
  ): Promise<CompareReport | null>;
}

/** A first word comes within this. */
const FIRST_WORD_LIMIT_MS = 5_000;
/** And then one at least this often: six times what a follower allows itself. */
const WORD_LIMIT_MS = 6 * COMPARE_WORD_INTERVAL_MS;

/** Somebody is behind the socket, and says nothing: who that is, and what to do, is for the command to find out. */
export class FollowerMute extends Error {}

/** Over the sockets given. */
export function followerCompare(sockets: LineSockets, clock: Clock): FollowerCompare {
  return {
    compare: (socketPath, request, progress, stop) =>
      new Promise((resolve, reject) => {
        const conversation = { sockets, clock, socketPath, request, progress, stop };
        new Conversation(conversation, resolve, reject);
      }),
  };
}

interface ConversationOptions {
  readonly sockets: LineSockets;
  readonly clock: Clock;
  readonly socketPath: string;
  readonly request: CompareRequest;
  readonly progress: (rows: readonly CompareProgress[]) => void;
  readonly stop: AbortSignal;
}

class Conversation {
  readonly #options: ConversationOptions;
  readonly #resolve: (report: CompareReport | null) => void;
  readonly #reject: (error: unknown) => void;
  readonly #link: LineLink;
  readonly #onStop = () => this.#settle(() => this.#reject(new Stopped()));
  #timer: Timer;
  #settled = false;

  constructor(
    options: ConversationOptions,
    resolve: (report: CompareReport | null) => void,
    reject: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    options.stop.addEventListener("abort", this.#onStop);
    this.#timer = this.#awaitWord(FIRST_WORD_LIMIT_MS);
    this.#link = options.sockets.connect(options.socketPath, REPLY_BYTES_MAX, {
      opened: (link) => link.send(encodeCompareRequest(options.request)),
      line: (text) => this.#line(text),
      ended: (end) => this.#ended(end),
    });
    if (options.stop.aborted) this.#onStop();
  }

  #awaitWord(limitMs: number): Timer {
    const why = `no answer within ${limitMs / 1000} s`;
    const mute = () => this.#settle(() => this.#reject(new FollowerMute(why)));
    return deadline(this.#options.clock, limitMs, mute);
  }

  #line(text: string): void {
    this.#timer.cancel();
    this.#timer = this.#awaitWord(WORD_LIMIT_MS);
    const fields = fieldsOf(parse(text));
    if (fields === null) return this.#misunderstood("a line that is no JSON object");
    if (fields["type"] === "progress") return this.#options.progress(readProgress(fields));
    if (fields["type"] === "error") {
      const error = readError(fields);
      return this.#settle(() => this.#reject(error));
    }
    const report = readReport(fields);
    if (report === null) return this.#misunderstood("a document that is no comparison");
    this.#settle(() => this.#resolve(report));
  }

  #ended(end: LineEnd): void {
    switch (end.kind) {
      case "not-connected":
        if (end.reason === "ENOENT" || end.reason === "ECONNREFUSED") {
          return this.#settle(() => this.#resolve(null));
        }
        return this.#fail(`its socket cannot be reached: ${end.reason}`);
      case "closed-here":
      case "closed-by-peer":
        return this.#fail("it ended the conversation without a result; it may be stopping");
      case "broken":
        return this.#fail(`the conversation broke off: ${end.reason}`);
      case "send-queue-full":
        return this.#fail("it reads nothing");
      case "line-too-long":
        return this.#misunderstood("a line without an end");
    }
  }

  #misunderstood(what: string): void {
    this.#fail(`it answered with ${what}; is it another version of armdb?`);
  }

  #fail(why: string): void {
    const path = this.#options.socketPath;
    const error = new ArmdbError(
      "unknown",
      `Cannot compare by the follower that runs on this directory: ${why}`,
      { path, hint: "armdb status DIR, and the follower's log" },
    );
    this.#settle(() => this.#reject(error));
  }

  #settle(run: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#timer.cancel();
    this.#options.stop.removeEventListener("abort", this.#onStop);
    this.#link.close();
    run();
  }
}

type Fields = Readonly<Record<string, unknown>>;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null;
    throw thrown;
  }
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : null;
}

function numberIn(value: unknown, max: number): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max
    ? value
    : null;
}

/** Rows that make no sense are left out: progress decides nothing. */
function readProgress(fields: Fields): CompareProgress[] {
  const rows: CompareProgress[] = [];
  const shards = Array.isArray(fields["shards"]) ? fields["shards"].slice(0, SHARDS_MAX) : [];
  for (const value of shards) {
    const row = fieldsOf(value);
    const shard = numberIn(row?.["shard"], SHARDS_MAX);
    const done = numberIn(row?.["done"], SLOT_COUNT_MAX);
    const total = numberIn(row?.["total"], SLOT_COUNT_MAX);
    if (shard === null || done === null || total === null) continue;
    rows.push({
      shard,
      round: numberIn(row?.["round"], Number.MAX_SAFE_INTEGER) ?? 1,
      done,
      total,
    });
  }
  return rows;
}

function readError(fields: Fields): ArmdbError {
  const { code, message, hint } = fields;
  const known = typeof code === "string" && Object.hasOwn(EXIT_STATUS, code);
  const text = typeof message === "string" ? message : "it did not say why";
  return new ArmdbError(known ? (code as ErrorCode) : "unknown", cut(text), {
    ...(typeof hint === "string" ? { hint: cut(hint) } : {}),
  });
}

function cut(text: string): string {
  return text.slice(0, LEADER_TEXT_CHARS_MAX);
}

/** A follower's document as a report; null when it is not one. Its verdict is worked out again from its figures. */
function readReport(fields: Fields): CompareReport | null {
  if (fields["schema"] !== 1 || fields["command"] !== "compare") return null;
  const shards = readShards(fields["shards"]);
  const differences = readDifferences(fields["differences"]);
  if (shards === null || differences === null) return null;
  return {
    verdict: compareVerdict(shards, false),
    healed: fields["healed"] === true,
    shards,
    truncated: fields["truncated"] === true,
    stopped: false,
    differences: () => differences,
  };
}

function readShards(value: unknown): ComparedShard[] | null {
  if (!Array.isArray(value) || value.length > SHARDS_MAX) return null;
  const shards: ComparedShard[] = [];
  for (const entry of value) {
    const row = fieldsOf(entry);
    const shard = numberIn(row?.["shard"], SHARDS_MAX - 1);
    const compared = numberIn(row?.["compared"], SLOT_COUNT_MAX);
    const differs = numberIn(row?.["differs"], SLOT_COUNT_MAX);
    if (shard === null || compared === null || differs === null) return null;
    const reason = row?.["reason"];
    const unknown = typeof reason === "string" ? { reason: cut(reason), hint: null } : null;
    // A follower of an earlier version does not say so; it speaks of whole shards, or says why not.
    const whole = unknown === null && row?.["whole"] !== false;
    shards.push({ shard, compared, whole, differs, unknown });
  }
  return shards;
}

function readDifferences(value: unknown): ShardDifference[] | null {
  if (!Array.isArray(value) || value.length > DIFFERENCES_MAX) return null;
  const differences: ShardDifference[] = [];
  for (const entry of value) {
    const row = fieldsOf(entry);
    const shard = numberIn(row?.["shard"], SHARDS_MAX - 1);
    const slot = numberIn(row?.["slot"], SLOT_COUNT_MAX);
    const kind = DIFFERENCE_KINDS.find((name) => name === row?.["kind"]) as
      DifferenceKind | undefined;
    const here = readSide(row?.["here"]);
    const there = readSide(row?.["there"]);
    if (shard === null || slot === null || kind === undefined) return null;
    if (here === null || there === null) return null;
    differences.push({ shard, slot, kind, here, there });
  }
  return differences;
}

function readSide(value: unknown): SideWord | null {
  const side = fieldsOf(value);
  const status = side?.["status"];
  const version = numberIn(side?.["version"], VERSION_MAX);
  return typeof status === "string" && version !== null ? sideWordOf(status, version) : null;
}
