// `armdb repair DIR`: the plan, and with --apply its execution; `--undo JOURNAL` takes an execution back. Writes only with
// one of the two. The work is in src/audit/repair/repair.ts; here it is asked for, confirmed and shown.

import {
  carryOut,
  type PlannedRepair,
  prepareRepair,
  refuseWhenHeld,
  type RepairOptions,
  type RepairTools,
  type RepairOutcome,
  takeBack,
} from "../../audit/repair/repair.ts";
import { type Finding, findingOf, outcomeOf } from "../../audit/findings.ts";
import { damagedThere, type UnsureShard } from "../../audit/repair/plan/types.ts";
import type { RepairSource } from "../../audit/repair/source.ts";
import { Stopped } from "../../audit/stopped.ts";
import type { VerifyReport } from "../../audit/verify.ts";
import { ArmdbError } from "../../errors.ts";
import type { Disk } from "../../io/disk.ts";
import { removeDirectory } from "../../io/remove-directory.ts";
import { type Command, type Context, stopStatus } from "../command.ts";
import { escapeText } from "../surface/escape.ts";
import type { Progress } from "../surface/surface.ts";
import type { CommandSpec } from "../words/spec.ts";
import { outcomeLines, planLines, repairDocument, type RepairResult } from "../render/repair.ts";
import { namingDirectory } from "./audit-arguments.ts";
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
    throw namingDirectory(thrown, dir);
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
  const end = (result: Pick<RepairResult, "verdict"> & Partial<RepairResult>) => {
    const remaining = plan.left.map(({ finding }) => finding);
    const { complete } = report.directory.copy;
    const { unsure } = plan;
    const whole = { plan, complete, journal: null, stopped: false, remaining, unsure, ...result };
    return finish(context, options.path, whole);
  };
  const stoppedHere = () =>
    end({ verdict: "incomplete", stopped: true, remaining: foundIn(report) });
  if (planned.stopped) return stoppedHere();
  showPlan(context, planned);
  if (plan.steps.length === 0) {
    return end({ verdict: plan.left.length === 0 ? "nothing-to-do" : "incomplete" });
  }
  if (report.live && apply) messages.warn("the files changed while they were read");
  if (!apply || !(await isConfirmed(context, plan.steps.length)))
    return end({ verdict: "planned" });
  let outcome: RepairOutcome;
  try {
    outcome = await carryOut(tools, options, planned);
  } catch (thrown) {
    if (thrown instanceof Stopped) return stoppedHere();
    throw thrown;
  }
  shown.stop();
  const { journal, unsure } = outcome;
  const remaining = [...foundIn(outcome.report), ...unsureFindings(unsure, planned.source)];
  const verdict = remaining.length === 0 ? "repaired" : "incomplete";
  return end({ verdict, journal, remaining, unsure, stopped: outcome.report.stopped });
}

/** All but notes: what keeps a directory from being called sound. */
function foundIn({ findings }: VerifyReport): Finding[] {
  return findings.filter(({ severity }) => severity !== "note");
}

/** What a source could not vouch for is not repaired. */
function unsureFindings(unsure: readonly UnsureShard[], source: RepairSource | null): Finding[] {
  return unsure.map(({ shard, count }) => {
    const message = damagedThere(count, source?.name ?? "the source");
    return findingOf({ kind: "source-unsure", shard, count, message });
  });
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
  const { out, json, stop } = context;
  if (json) out.json(repairDocument(result));
  else for (const line of outcomeLines(result, dir, out.palette)) out.line(line);
  const { status } = outcomeOf(result.remaining, stopStatus(result.stopped, stop));
  // What is planned is damage still, whatever is left beside it.
  return result.verdict === "planned" ? DAMAGE_IS_THERE : status;
}

const DAMAGE_IS_THERE = 3;

/** A name that was mistyped is no fault of the disk. */
function refuseMissingJournal(disk: Disk, dir: string, journal: string): void {
  if (disk.facts(journal) !== null) return;
  const newest = disk
    .list(dir)
    .filter((name) => /^armdb-undo-.+\.journal$/.test(name))
    .sort()
    .at(-1);
  const hint =
    newest === undefined
      ? "there is none in that directory: no repair has changed it"
      : `armdb repair DIR --undo DIR/${newest}`;
  throw new ArmdbError("usage", `There is no journal "${journal}"`, { path: journal, hint });
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
  refuseMissingJournal(context.disk, dir, journal);
  refuseWhenHeld(context.disk, dir);
  if (!args.flag("yes") && messages.confirm !== null) {
    if (!(await messages.confirm(`Put back what the repair of ${escapeText(journal)} changed?`)))
      return 3;
  }
  const { putBack } = await takeBack(tools, dir, journal, args.flag("force"));
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
