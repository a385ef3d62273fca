// `armdb repair DIR`: the plan, and with --apply its execution; `--undo JOURNAL` takes an execution back. Writes only with
// one of the two. The work is in src/audit/repair/repair.ts; here it is asked for, confirmed and shown.

import {
  carryOut,
  type PlannedRepair,
  prepareRepair,
  refuseWhenHeld,
  type RepairOptions,
  type RepairTools,
  takeBack,
} from "../../audit/repair/repair.ts";
import { type Finding, verdictOf, verdictStatus } from "../../audit/findings.ts";
import { Stopped } from "../../audit/stopped.ts";
import { ArmdbError } from "../../errors.ts";
import { removeDirectory } from "../../io/remove-directory.ts";
import { type Command, type Context, signalStatus } from "../command.ts";
import type { Progress } from "../surface/surface.ts";
import type { CommandSpec } from "../words/spec.ts";
import {
  outcomeLines,
  planLines,
  repairDocument,
  type RepairResult,
  type RepairVerdict,
} from "../render/repair.ts";
import { repairOptions, repairSpec } from "./repair-options.ts";

export const repairCommand: Command = { spec: repairSpec, run };

async function run(context: Context): Promise<number> {
  const { args, messages } = context;
  const dir = args.argument("DIR") ?? "";
  const journal = args.text("undo");
  const shown = new ShownProgress(messages);
  const tools = toolsOf(context, shown);
  try {
    if (journal !== null) return await undo(context, tools, dir, journal);
    return await repair(context, tools, shown, repairOptions(context, dir));
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
  const { complete } = report.directory.copy;
  if (plan.steps.length === 0) {
    const verdict = remaining.length === 0 ? "nothing-to-do" : "incomplete";
    showPlan(context, planned);
    return finish(context, options.path, { verdict, complete, plan, journal: null, remaining });
  }
  if (report.live && apply) messages.warn("the files changed while they were read");
  showPlan(context, planned);
  if (!apply || !(await isConfirmed(context, plan.steps.length))) {
    const result = { verdict: "planned", complete, plan, journal: null, remaining } as const;
    return finish(context, options.path, result);
  }
  const outcome = await carryOut(tools, options, planned);
  shown.stop();
  const stillThere = outcome.report.findings.filter((finding) => finding.severity !== "note");
  const verdict = stillThere.length === 0 ? "repaired" : "incomplete";
  const { journal } = outcome;
  const result = { verdict, complete, plan, journal, remaining: stillThere } as const;
  return finish(context, options.path, result);
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

/** 3 where damage is left or only planned for, 4 where the copy is incomplete, 5 where what is left could not be checked. */
function statusOf(verdict: RepairVerdict, remaining: readonly Finding[]): number {
  switch (verdict) {
    case "nothing-to-do":
    case "repaired":
      return 0;
    case "planned":
      return 3;
    case "incomplete":
      return verdictStatus(verdictOf(remaining));
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
    ["key-len", args.integer("key-len") !== null],
    ["value-len", args.integer("value-len") !== null],
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
