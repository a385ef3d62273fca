// `armdb repair DIR`: the plan, and with --apply its execution; `--undo JOURNAL` takes an execution back. Writes only with
// one of the two. The work is in src/audit/repair.ts; here it is asked for, confirmed and shown.

import { directorySource, leaderSource, type RepairSource } from "../../audit/repair-source.ts";
import {
  carryOut,
  type PlannedRepair,
  prepareRepair,
  refuseWhenHeld,
  type RepairOptions,
  type RepairTools,
  takeBack,
} from "../../audit/repair.ts";
import type { Finding } from "../../audit/findings.ts";
import { probeProtocol } from "../../audit/leader-probe.ts";
import { readReport } from "../../audit/repair-scope.ts";
import { Stopped } from "../../audit/stopped.ts";
import { ArmdbError } from "../../errors.ts";
import { parseAddress } from "../../io/address.ts";
import { removeDirectory } from "../../io/remove-directory.ts";
import { formatAddress } from "../../io/sockets.ts";
import { SHARDS_MAX } from "../../limits.ts";
import {
  type Command,
  type CommandSpec,
  type Context,
  type Progress,
  signalStatus,
} from "../command.ts";
import { escapeText } from "../escape.ts";
import {
  outcomeLines,
  planLines,
  repairDocument,
  type RepairResult,
  type RepairVerdict,
} from "../render/repair.ts";

const spec: CommandSpec = {
  name: "repair",
  summary: "print how damage is mended; --apply mends it",
  description:
    "Verifies DIR, prints a plan and exits 3; --apply carries it out after asking (off a terminal it needs --yes), then " +
    "verifies again. Without --from a record that cannot be trusted is taken out: in a replica its slot becomes never-used " +
    "and the next scan of any follower brings it back, elsewhere it becomes free with its version kept; the keys lost until " +
    "then are listed first. With --from LEADER or --from DIR2 the records are fetched. Everything that is changed is first " +
    "saved in DIR/armdb-undo-TIME.journal, and --undo puts it back byte for byte. Killed at any point, run it again.",
  arguments: [
    { name: "DIR", required: true, summary: "a database directory", complete: "directory" },
  ],
  options: [
    {
      name: "apply",
      kind: "flag",
      summary: "carry the plan out",
      commandLineOnly: true,
    },
    {
      name: "from",
      kind: "text",
      value: "LEADER|DIR2",
      summary: "fetch what cannot be rebuilt from a leader or another directory",
      complete: "directory",
    },
    {
      name: "plan",
      kind: "text",
      value: "REPORT",
      summary: "touch only what this report of armdb verify names and what still stands so",
      complete: "file",
    },
    { name: "shard", kind: "integer", value: "N", summary: "only this shard" },
    {
      name: "keep",
      kind: "text",
      value: "SHARD:SLOT",
      summary: "of several live slots with one key, the one to keep",
      repeatable: true,
    },
    {
      name: "prefix-bits",
      kind: "integer",
      value: "N",
      summary:
        "shard_prefix_bits for a db.meta that has to be written again, where the keys do not tell",
    },
    {
      name: "undo",
      kind: "text",
      value: "JOURNAL",
      summary: "put back what a repair changed",
      complete: "file",
      commandLineOnly: true,
    },
    {
      name: "force",
      kind: "flag",
      summary: "although another process has files of DIR open, or they changed since (--undo)",
      commandLineOnly: true,
    },
  ],
  examples: [
    { command: "armdb repair ./replica", explains: "what would be done; writes nothing" },
    {
      command: "armdb repair ./replica --from db1:7400 --apply",
      explains: "fetch what is damaged from the leader",
    },
    {
      command: "armdb repair ./replica --undo ./replica/armdb-undo-20270131T120005123Z.journal",
      explains: "take a repair back",
    },
    {
      command: "armdb repair ./replica --json | jq '.lostKeys'",
      explains: "the keys that a local repair would take out",
    },
  ],
  exits: [
    [0, "nothing to do, or repaired and verified"],
    [3, "a plan was printed, or damage is left"],
    [5, "part of it could not be read or checked, or it changed meanwhile"],
    [2, "usage, or --yes is missing"],
    [10, "no database there"],
    [11, "locked, or open for writing, by another process"],
    [12, "the leader cannot be reached, or was lost"],
    [13, "another format, or the source is another database"],
    [14, "no space"],
    [15, "storage"],
  ],
  next: ["armdb verify DIR", "armdb repair DIR --undo JOURNAL", "armdb compare DIR LEADER"],
};

export const repairCommand: Command = { spec, run };

async function run(context: Context): Promise<number> {
  const { args, messages } = context;
  const dir = args.argument("DIR") ?? "";
  const journal = args.text("undo");
  const shown = new ShownProgress(messages);
  const tools = toolsOf(context, shown);
  try {
    if (journal !== null) return await undo(context, tools, dir, journal);
    return await repair(context, tools, shown, optionsOf(context, dir));
  } catch (thrown) {
    if (thrown instanceof Stopped) return signalStatus(context.stop.reason);
    throw thrown;
  } finally {
    shown.stop();
  }
}

/** The display of what takes long: verifying, then comparing with the source, then verifying again. */
class ShownProgress {
  readonly #messages: Context["messages"];
  #doing = "";
  #progress: Progress | null = null;

  constructor(messages: Context["messages"]) {
    this.#messages = messages;
  }

  show: RepairTools["progress"] = (doing, rows) => {
    if (this.#doing !== doing) {
      this.stop();
      this.#progress = this.#messages.progress(doing);
      this.#doing = doing;
    }
    const labelled = rows.map(({ shard, ...row }) => ({
      label: `shard ${shard}`,
      state: doing,
      ...row,
    }));
    this.#progress?.update(labelled);
  };

  stop(): void {
    this.#progress?.stop();
    this.#progress = null;
    this.#doing = "";
  }
}

function toolsOf({ disk, clock, stop, messages }: Context, shown: ShownProgress): RepairTools {
  return {
    disk,
    clock,
    stop,
    removeDirectory,
    progress: shown.show,
    warn: (text) => messages.warn(text),
  };
}

function optionsOf(context: Context, path: string): RepairOptions {
  const { args, disk } = context;
  const from = args.text("from");
  const report = args.text("plan");
  const prefixBits = args.integer("prefix-bits");
  if (prefixBits !== null && prefixBits > 255) {
    throw new ArmdbError("usage", `--prefix-bits is ${prefixBits}, accepted: 0 to 255`, {
      hint: "0 routes by the whole key",
    });
  }
  return {
    path,
    shard: args.integer("shard"),
    reported: report === null ? null : readReport(disk, report),
    keep: args.texts("keep").map(parseKeep),
    prefixBits,
    force: args.flag("force"),
    openSource: from === null ? null : () => openSource(context, path, from),
  };
}

function parseKeep(text: string): { readonly shard: number; readonly slot: number } {
  const match = /^(\d{1,3}):(\d{1,10})$/.exec(text);
  const shard = Number(match?.[1]);
  if (match === null || shard >= SHARDS_MAX) {
    throw new ArmdbError("usage", `--keep is "${escapeText(text)}", accepted: SHARD:SLOT`, {
      hint: "--keep 0:17",
    });
  }
  return { shard, slot: Number(match[2]) };
}

async function openSource(context: Context, path: string, from: string): Promise<RepairSource> {
  const { args, disk, net, clock, stop } = context;
  const address = parseAddress(from);
  if (address === null) {
    const here = disk.facts(path);
    const there = disk.facts(from);
    if (there !== null && there.inode === here?.inode && there.device === here.device) {
      throw new ArmdbError("usage", `"${path}" cannot be repaired from itself`, {
        path,
        hint: "--from LEADER, or another directory",
      });
    }
    return directorySource(disk, from, stop);
  }
  const protocol = await probeProtocol(net, clock, address, stop);
  if (protocol === 1 && !args.flag("yes")) {
    const leader = formatAddress(address.host, address.port);
    throw new ArmdbError(
      "usage",
      `Leader ${leader} speaks protocol 1: it gives each shard's live stream only once, to whoever asks first, until it is ` +
        "restarted. Fetching from it may be what takes it, and a follower that comes later would go stale",
      { hint: "--from another directory, or add --yes" },
    );
  }
  return leaderSource(net, clock, address, protocol, stop);
}

async function repair(
  context: Context,
  tools: RepairTools,
  shown: ShownProgress,
  options: RepairOptions,
): Promise<number> {
  const { args, disk, messages } = context;
  const apply = args.flag("apply");
  if (apply) refuseWhenHeld(disk, options.path);
  const planned = await prepareRepair(tools, options);
  shown.stop();
  const { plan, report } = planned;
  const remaining = plan.left.map(({ finding }) => finding);
  if (plan.steps.length === 0) {
    const verdict = remaining.length === 0 ? "nothing-to-do" : "incomplete";
    showPlan(context, planned);
    return finish(context, options.path, { verdict, plan, journal: null, remaining });
  }
  if (report.live && apply) messages.warn("the files changed while they were read");
  showPlan(context, planned);
  if (!apply || !(await isConfirmed(context, plan.steps.length))) {
    return finish(context, options.path, { verdict: "planned", plan, journal: null, remaining });
  }
  const outcome = await carryOut(tools, options, planned);
  shown.stop();
  const stillThere = outcome.report.findings.filter((finding) => finding.severity !== "note");
  const verdict = stillThere.length === 0 ? "repaired" : "incomplete";
  const { journal } = outcome;
  return finish(context, options.path, { verdict, plan, journal, remaining: stillThere });
}

/** The plan goes before the question, also with --json: then to stderr. */
function showPlan({ out, messages, json }: Context, { plan }: PlannedRepair): void {
  if (!json) for (const line of planLines(plan, out.palette)) out.line(line);
  else for (const line of planLines(plan, messages.palette)) messages.info(line);
}

async function isConfirmed({ args, messages }: Context, steps: number): Promise<boolean> {
  if (args.flag("yes")) return true;
  if (messages.confirm === null) {
    throw new ArmdbError("usage", "Off a terminal --apply needs --yes", {
      hint: "look at the plan without --apply, then add --apply --yes",
    });
  }
  return await messages.confirm(`Carry out ${steps === 1 ? "this step" : `these ${steps} steps`}?`);
}

function finish(context: Context, dir: string, result: RepairResult): number {
  const { out, json } = context;
  if (json) out.json(repairDocument(result));
  else for (const line of outcomeLines(result, dir, out.palette)) out.line(line);
  return statusOf(result.verdict, result.remaining);
}

/** 3 where damage is left or only planned for, 5 where all that is left could not be checked (cli.md: Exit codes). */
function statusOf(verdict: RepairVerdict, remaining: readonly Finding[]): number {
  switch (verdict) {
    case "nothing-to-do":
    case "repaired":
      return 0;
    case "planned":
      return 3;
    case "incomplete":
      return remaining.some((finding) => finding.severity === "damage") ? 3 : 5;
  }
}

async function undo(
  context: Context,
  tools: RepairTools,
  dir: string,
  journal: string,
): Promise<number> {
  const { args, messages, out, json } = context;
  const given: readonly (readonly [string, boolean])[] = [
    ["apply", args.flag("apply")],
    ["from", args.text("from") !== null],
    ["plan", args.text("plan") !== null],
    ["keep", args.texts("keep").length > 0],
    ["shard", args.integer("shard") !== null],
    ["prefix-bits", args.integer("prefix-bits") !== null],
  ];
  const excluded = given.find(([, isGiven]) => isGiven)?.[0];
  if (excluded !== undefined) {
    throw new ArmdbError("usage", `--undo and --${excluded} do not go together`, {
      hint: "armdb repair DIR --undo JOURNAL",
    });
  }
  refuseWhenHeld(context.disk, dir);
  if (!args.flag("yes") && messages.confirm !== null) {
    if (!(await messages.confirm(`Put back what the repair of ${journal} changed?`))) return 3;
  }
  const { putBack } = takeBack(tools, dir, journal, args.flag("force"));
  const verdict = putBack === 0 ? "nothing-to-do" : "repaired";
  if (json) {
    out.json({
      schema: 1,
      command: "repair",
      verdict,
      undone: true,
      putBack,
      steps: [],
      lostKeys: [],
      journal,
    });
  } else if (putBack === 0) {
    out.line("nothing to do: everything is as it was before that repair");
  } else {
    out.line(`undone: ${putBack} changes were put back; the journal is kept`);
  }
  return 0;
}
