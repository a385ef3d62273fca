// `armdb compare DIR OTHER`: slot by slot against a leader or a second directory. Writes nothing. Who compares: the
// follower that runs on DIR when there is one (the leader's stream is its own), else this process.

import { shellWord } from "../../shell-words.ts";
import { compareDatabases, type CompareProgress } from "../../audit/compare/compare.ts";
import type { CompareTarget } from "../../audit/compare/target.ts";
import { type CompareReport, compareStatus } from "../../audit/compare/report.ts";
import {
  type FollowerCompare,
  followerCompare,
  FollowerMute,
  SOCKET_FILE,
} from "../../audit/compare/request.ts";
import { type DatabaseDirectory, readDirectory } from "../../audit/look/database-look.ts";
import { probeProtocol } from "../../audit/leader/probe.ts";
import { Stopped } from "../../audit/stopped.ts";
import { ArmdbError } from "../../errors.ts";
import { type Address, formatAddress, parseAddress } from "../../io/address.ts";
import { lineSockets } from "../../io/unix-socket.ts";
import { type Command, type Context, stopStatus } from "../command.ts";
import { LEADER_TIMEOUT_OPTION, LIMIT_RATE_OPTION, PROGRESS_OPTION } from "../words/pace.ts";
import type { CommandSpec } from "../words/spec.ts";
import { escapeText } from "../surface/escape.ts";
import { noAnswer } from "./mute-follower.ts";
import { namingDirectory } from "./audit-arguments.ts";
import { compareDocument, differenceLine, summaryLines } from "../render/compare.ts";

const ROUNDS_MAX = 100;

const spec: CommandSpec = {
  name: "compare",
  summary: "slot by slot against a leader or another directory",
  description:
    "Streams OTHER against DIR and keeps only the slots that differ; those are looked at again in the next round, so that " +
    "writes in flight are no difference. The kinds are said of DIR: missing, older, newer, value (same version, other " +
    "bytes), status, extra. Damaged slots count as records that are not there. Against a leader each round is a full " +
    "scan. When a follower runs on DIR, that follower compares, and mends what it finds (healed). A leader of protocol 1 " +
    "without such a follower gives away its only live stream by it: that needs --yes.",
  arguments: [
    { name: "DIR", required: true, summary: "a database directory", complete: "directory" },
    {
      name: "OTHER",
      required: true,
      summary: "a leader, host:port, or another database directory (./host:7400 for an odd name)",
      complete: "directory",
    },
  ],
  options: [
    {
      name: "rounds",
      kind: "integer",
      value: "N",
      default: "2",
      summary: "how often slots that differ are looked at before they count",
    },
    {
      name: "wait",
      kind: "duration",
      value: "TIME",
      default: "2s",
      summary: "the pause between rounds",
    },
    { name: "shard", kind: "integer", value: "N", summary: "only this shard" },
    LIMIT_RATE_OPTION,
    LEADER_TIMEOUT_OPTION,
    PROGRESS_OPTION,
  ],
  examples: [
    { command: "armdb compare ./replica db1:7400", explains: "is the replica the leader's copy?" },
    { command: "armdb compare ./replica ./backup", explains: "two directories" },
    {
      command: "armdb compare ./replica db1:7400 --json | jq '.differences[] | .kind'",
      explains: "what differs, for scripts",
    },
  ],
  exits: [
    [0, "the same"],
    [4, "slots differ"],
    [5, "some of it could not be compared: unreadable, or `shard already streaming`"],
    [2, "usage, or the leader is of protocol 1 and --yes is missing"],
    [10, "no database there"],
    [12, "the leader cannot be reached, or was lost"],
    [13, "another database, another format, or not a leader"],
  ],
  next: [
    "armdb inspect slot DIR SHARD SLOT",
    "armdb replicate LEADER --data DIR",
    "armdb verify DIR",
  ],
};

/** The command over the given way to ask a running follower. */
export function createCompareCommand(newFollower: (context: Context) => FollowerCompare): Command {
  return { spec, run: (context) => run(context, newFollower(context)) };
}

export const compareCommand: Command = createCompareCommand(({ net, clock }) =>
  followerCompare(lineSockets(net), clock),
);

async function run(context: Context, follower: FollowerCompare): Promise<number> {
  const { args, disk } = context;
  const dir = args.argument("DIR") ?? "";
  const other = args.argument("OTHER") ?? "";
  const directory = readDirectory(disk, dir);
  const address = leaderOf(other);
  const progress = context.messages.progress("comparing");
  const show = (rows: readonly CompareProgress[]) => progress.update(rows.map(progressRow));
  let report: CompareReport;
  try {
    report = await compare(context, follower, directory, address, other, show);
  } catch (thrown) {
    if (thrown instanceof FollowerMute) throw noAnswer(dir, "compares nothing", thrown.message);
    if (!(thrown instanceof Stopped)) throw namingDirectory(thrown, dir);
    // Before a slot was compared, or in the middle of the follower's own comparison.
    report = NOTHING_COMPARED;
  } finally {
    progress.stop();
  }
  render(context, report, dir, other);
  return stopStatus(report.stopped, context.stop) ?? compareStatus(report.verdict);
}

const NOTHING_COMPARED: CompareReport = {
  verdict: "unknown",
  healed: false,
  shards: [],
  truncated: false,
  stopped: true,
  differences: () => [],
};

/** A leader's address, or null for a directory's name. */
function leaderOf(other: string): Address | null {
  const address = parseAddress(other);
  if (address === null && /^[^/]+:\d+$/.test(other)) {
    throw new ArmdbError("usage", `"${escapeText(other)}" is no address of a leader`, {
      hint: `host:port with a port from 1 to 65535, or ./${escapeText(other)} for a directory`,
    });
  }
  return address;
}

async function compare(
  context: Context,
  follower: FollowerCompare,
  directory: DatabaseDirectory,
  address: Address | null,
  other: string,
  show: (rows: readonly CompareProgress[]) => void,
): Promise<CompareReport> {
  const { args, disk, net, clock, stop, messages } = context;
  const rounds = roundsOf(args.integer("rounds"));
  const waitMs = args.durationMs("wait") ?? 0;
  const shard = args.integer("shard");
  let target: CompareTarget;
  if (address === null) {
    target = { kind: "directory", directory: readDirectory(disk, other) };
  } else {
    if (directory.lock !== null && directory.entries.includes(SOCKET_FILE)) {
      messages.info("a follower runs on this directory: it compares itself with its leader");
      const request = { leader: address, rounds, waitMs, shard };
      const path = `${directory.path}/${SOCKET_FILE}`;
      const report = await follower.compare(path, request, show, stop);
      if (report !== null) return report;
    }
    const protocol = await probeProtocol(net, clock, address, stop);
    if (protocol === 1 && !args.flag("yes")) throw takesTheStream(address, directory.path);
    target = { kind: "leader", address, protocol };
  }
  const around = { disk, net, clock };
  return await compareDatabases(around, {
    bytesPerSecond: args.bytes("limit-rate"),
    timeoutMs: args.durationMs("timeout"),
    directory,
    target,
    rounds,
    waitMs,
    shard,
    stop,
    progress: show,
  });
}

function roundsOf(rounds: number | null): number {
  if (rounds !== null && rounds >= 1 && rounds <= ROUNDS_MAX) return rounds;
  throw new ArmdbError("usage", `--rounds is ${rounds ?? "off"}, accepted: 1 to ${ROUNDS_MAX}`, {
    hint: "--rounds 2",
  });
}

/** Exit 2, before the stream is taken (cli.md: below the table of commands). */
function takesTheStream(address: Address, dir: string): ArmdbError {
  const leader = formatAddress(address);
  return new ArmdbError(
    "usage",
    `Leader ${leader} speaks protocol 1: it gives each shard's live stream only once, to whoever asks first, until it is ` +
      "restarted. This comparison may be the one that takes it, and a follower that comes later would go stale",
    {
      hint: `run armdb replicate ${leader} --data ${shellWord(dir)} and compare beside it, or add --yes`,
    },
  );
}

function progressRow({ shard, round, done, total }: CompareProgress) {
  const state = round === 1 ? "comparing" : `round ${round}`;
  return { label: `shard ${shard}`, state, done, total, unit: "slots" as const };
}

function render(context: Context, report: CompareReport, dir: string, other: string): void {
  const { out, messages, json } = context;
  if (json) {
    out.json(compareDocument(report));
    return;
  }
  for (const difference of report.differences()) {
    if (out.closed) return;
    out.line(differenceLine(difference, out.palette));
  }
  for (const line of summaryLines(report, out.palette)) out.line(line);
  for (const { unknown } of report.shards) {
    if (unknown?.hint !== null && unknown?.hint !== undefined) {
      messages.info(`Try: ${escapeText(unknown.hint)}`);
      break;
    }
  }
  if (report.verdict === "differs" && !report.healed) {
    const [first] = report.differences();
    if (first !== undefined) {
      messages.info(
        `Try: armdb inspect slot ${shellWord(escapeText(dir))} ${first.shard} ${first.slot}`,
      );
    }
    if (parseAddress(other) !== null) {
      messages.info(
        `Try: armdb replicate ${shellWord(escapeText(other))} --data ${shellWord(escapeText(dir))}`,
      );
    }
  }
}
