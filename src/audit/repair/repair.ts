// repair: verify, plan, and, when it is wanted, journal, apply, verify again. Used by the command.
// Promises: nothing is written before the lock is held, no other process has the files open, and the journal is durable; whatever
// kills it, the same command again or the undo gets on from there.

import { ArmdbError } from "../../errors.ts";
import type { Clock } from "../../io/clock.ts";
import { type Disk, DiskError } from "../../io/disk.ts";
import { lockHolder, type Writers, writersOf } from "../../store/holders.ts";
import { takeLock } from "../../store/lock.ts";
import { shellWord } from "../../shell-words.ts";
import { NEW_FILE_MODE } from "../../store/ownership.ts";
import type { Geometry } from "../../store/geometry.ts";
import { lookAtShard } from "../look/database-look.ts";
import type { Finding } from "../findings.ts";
import { sumOf } from "./files.ts";
import { writeJournal, type WrittenJournal } from "./journal-writer.ts";
import { applyChanges } from "./apply.ts";
import type { FileAttributes } from "./changes.ts";
import { fillShard } from "./fill.ts";
import { attributesLike } from "./owner.ts";
import { leftByPlan } from "./plan/left.ts";
import { NO_PLAN, type PlanOptions, type RepairPlan, type UnsureShard } from "./plan/types.ts";
import { planRepair } from "./plan/plan.ts";
import type { Reported } from "./plan/scope.ts";
import type { RepairSource } from "./source.ts";
import { type UndoReport, undoRepair } from "./undo.ts";
import { Stopped, throwIfStopped } from "../stopped.ts";
import { taskFor } from "../task.ts";
import { VERIFY_ALL, verifyDirectory, type VerifyReport } from "../verify.ts";

export interface RepairTools {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  removeDirectory(path: string): void;
  /** Who else has files of the directory open; `writersOf` but in tests. */
  writers?(path: string): Writers;
  progress(doing: "verifying" | "comparing", rows: readonly RepairProgress[]): void;
  warn(text: string): void;
}

export interface RepairProgress {
  readonly shard: number;
  readonly done: number;
  readonly total: number;
  readonly unit: "slots" | "bytes";
}

export interface RepairOptions {
  readonly path: string;
  /** Null: all shards. */
  readonly shard: number | null;
  /** `--plan`; null: everything that verify finds. */
  readonly reported: Reported | null;
  readonly keep: readonly { readonly shard: number; readonly slot: number }[];
  readonly prefixBits: number | null;
  readonly lengths: PlanOptions["lengths"];
  readonly force: boolean;
  /** Of all that is read; null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
  /** Opened only when something has to be fetched; null without `--from`. */
  openSource: (() => Promise<RepairSource>) | null;
  /** For tests: less than a plan may hold otherwise. */
  readonly budgetBytes?: number;
}

/** A plan and what it was made from. */
export interface PlannedRepair {
  readonly report: VerifyReport;
  readonly plan: RepairPlan;
  readonly source: RepairSource | null;
  /** A signal came before the plan was made: the report is what was found until then, the plan has no step. */
  readonly stopped: boolean;
}

/** Verifies and plans; writes nothing, takes no lock. Throws as verify, the planner and the source do. */
export async function prepareRepair(
  tools: RepairTools,
  options: RepairOptions,
): Promise<PlannedRepair> {
  const report = await verify(tools, options);
  if (report.stopped) return stoppedEarly(report);
  try {
    return await planFrom(tools, options, report);
  } catch (thrown) {
    if (thrown instanceof Stopped) return stoppedEarly(report);
    if (thrown instanceof DiskError) throw unreadWhilePlanning(thrown);
    throw thrown;
  }
}

/** A plan only reads: what could not be read here or in the source leaves the directory unchecked, and untouched. */
function unreadWhilePlanning(error: DiskError): ArmdbError {
  return new ArmdbError("unknown", `No plan can be made: ${error.message}; nothing was written`, {
    ...error.details,
    cause: error,
  });
}

async function planFrom(
  tools: RepairTools,
  options: RepairOptions,
  report: VerifyReport,
): Promise<PlannedRepair> {
  const { disk, progress } = tools;
  const isInScope = (finding: Finding) => options.reported?.names(finding) ?? true;
  const isDamaged = report.findings.some(
    (finding) => finding.severity === "damage" && isInScope(finding),
  );
  // A healthy directory costs no leader its stream.
  const source = isDamaged && options.openSource !== null ? await options.openSource() : null;
  // A plan may be looked at by anybody; whether this process may carry it out is asked then.
  const attributes = likeOrPlain(() => attributesLike(disk, report.directory));
  const plan = await planRepair(disk, report, {
    isInScope,
    reported: options.reported,
    keep: options.keep,
    prefixBits: options.prefixBits,
    lengths: options.lengths,
    source,
    attributes,
    task: taskFor(tools.clock, tools.stop, options.bytesPerSecond),
    ...(options.budgetBytes === undefined ? {} : { budgetBytes: options.budgetBytes }),
    progress: (shard, done) => {
      const total = report.shards.find((each) => each.shard === shard)?.slots ?? 0;
      progress("comparing", [{ shard, done, total, unit: "slots" }]);
    },
  });
  const left = leftByPlan(report, plan, isInScope);
  return { report, plan: { ...plan, left }, source, stopped: false };
}

function stoppedEarly(report: VerifyReport): PlannedRepair {
  return { report, plan: NO_PLAN, source: null, stopped: true };
}

function likeOrPlain(attributes: () => FileAttributes): FileAttributes {
  try {
    return attributes();
  } catch (thrown) {
    if (thrown instanceof ArmdbError) return { uid: null, gid: 0, mode: NEW_FILE_MODE };
    throw thrown;
  }
}

function verify(
  tools: RepairTools,
  { path, shard, bytesPerSecond }: RepairOptions,
): Promise<VerifyReport> {
  const { disk, clock, stop } = tools;
  return verifyDirectory(
    path,
    { ...VERIFY_ALL, shard, bytesPerSecond },
    {
      disk,
      clock,
      stop,
      progress: (rows) =>
        tools.progress(
          "verifying",
          rows.map((row) => ({
            shard: row.shard,
            done: row.bytesDone,
            total: row.bytes,
            unit: "bytes",
          })),
        ),
    },
  );
}

/** What a repair that was carried out left behind. */
export interface RepairOutcome {
  readonly journal: string;
  /** Slots for which the source could not vouch, so that they are not back. */
  readonly unsure: readonly UnsureShard[];
  /** The directory as it is now; `stopped`: as it was seen before a signal came, not all was done or looked at again. */
  readonly report: VerifyReport;
}

/**
 * Carries a plan out. Throws `locked` when another process holds the directory or has it open for writing, `unknown`
 * when it has changed since the plan was made, Stopped; then nothing was written.
 */
export async function carryOut(
  tools: RepairTools,
  options: RepairOptions,
  planned: PlannedRepair,
): Promise<RepairOutcome> {
  const { disk, clock } = tools;
  const { path } = options;
  const { plan, source, report } = planned;
  const attributes = attributesLike(disk, report.directory);
  const changes = plan.steps.flatMap((step) => step.changes);
  const lock = lockForWriting(tools, path, options.force);
  const task = taskFor(clock, tools.stop, options.bytesPerSecond);
  const unsure = [...plan.unsure];
  let journal: WrittenJournal;
  try {
    throwIfStopped(tools.stop);
    refuseWhenChanged(disk, report);
    journal = writeJournal(disk, path, changes, attributes, clock.wallMs());
    try {
      await applyChanges(disk, path, changes, async (shard, file) => {
        const filled = await fillShard(
          needed(source),
          shard,
          needed(plan.fillGeometry),
          file,
          task,
        );
        if (filled.unsure > 0) unsure.push({ shard, count: filled.unsure });
        // Before the file gets its name: an undo removes what it knows byte for byte.
        journal.noteFilled({ shard, ...(await sumOf(file, task)) });
      });
    } catch (thrown) {
      const stopped = { journal: journal.path, unsure, report: { ...report, stopped: true } };
      // What was done is done, what was not is as it was found: nobody has looked since.
      if (thrown instanceof Stopped) return stopped;
      throw interrupted(thrown, path, journal.path);
    }
  } finally {
    lock.release();
  }
  return { journal: journal.path, unsure, report: await verify(tools, options) };
}

/** A program that had the database open since may have changed what the plan does not write, but rests on. */
function refuseWhenChanged(disk: Disk, { directory }: VerifyReport): void {
  for (const before of directory.shards) {
    const now = lookAtShard(disk, directory.path, before.shard);
    const isSame =
      now.fileBytes === before.fileBytes &&
      now.data.facts?.inode === before.data.facts?.inode &&
      now.sidecar.facts?.bytes === before.sidecar.facts?.bytes &&
      now.sidecar.facts?.inode === before.sidecar.facts?.inode &&
      Buffer.compare(now.data.bytes ?? NOTHING, before.data.bytes ?? NOTHING) === 0;
    if (isSame) continue;
    throw new ArmdbError(
      "unknown",
      `Cannot repair "${directory.path}": ${now.name} has changed since it was read; nothing was written`,
      { path: directory.path, shard: now.shard, hint: "armdb repair again" },
    );
  }
}

const NOTHING = new Uint8Array(0);

/** A shard is filled only by a plan that was made with a source. */
function needed<T extends RepairSource | Geometry>(value: T | null): T {
  if (value === null) throw new Error("a shard is filled from a source only");
  return value;
}

/** Throws `locked` at once where somebody holds the directory, before hours are spent on a plan. */
export function refuseWhenHeld(disk: Disk, path: string): void {
  if (lockHolder(path) !== null) takeLock(disk, path, "exclusive").release();
}

/** Takes a repair back by its journal. */
export async function takeBack(
  tools: RepairTools,
  path: string,
  journal: string,
  force: boolean,
): Promise<UndoReport> {
  const lock = lockForWriting(tools, path, force);
  try {
    const task = taskFor(tools.clock, tools.stop, null);
    return await undoRepair(tools, path, journal, force, task);
  } finally {
    lock.release();
  }
}

function lockForWriting(tools: RepairTools, path: string, force: boolean) {
  const lock = takeLock(tools.disk, path, "exclusive");
  try {
    checkWriters(tools, path, force);
  } catch (thrown) {
    lock.release();
    throw thrown;
  }
  return lock;
}

/** Crates before 0.7.0 hold no lock: who has the files open for writing is the only trace of them (cli.md: Ownership). */
function checkWriters(tools: RepairTools, path: string, force: boolean): void {
  const { pids, unseen } = (tools.writers ?? writersOf)(path);
  if (pids.length > 0) {
    const who = `process ${pids.join(", ")}`;
    if (!force) {
      throw new ArmdbError("locked", `Files of "${path}" are open for writing by ${who}`, {
        path,
        hint: `ps -p ${pids.slice(0, 5).join(",")} shows it; stop it, or add --force when it does not write`,
      });
    }
    tools.warn(`files of "${path}" are open for writing by ${who}: what it writes may be lost`);
  }
  if (unseen) {
    tools.warn("not every process could be looked at: whether one has the files open is not known");
  }
}

/** An error in the middle: what to do about it stands in the hint. */
function interrupted(thrown: unknown, path: string, journal: string): unknown {
  if (!(thrown instanceof DiskError) && !(thrown instanceof ArmdbError)) return thrown;
  const { code, message } = thrown;
  const again = `armdb repair ${shellWord(path)}`;
  return new ArmdbError(code, `The repair was interrupted: ${message}`, {
    ...thrown.details,
    hint: `${again} again when the cause is gone, or ${again} --undo ${shellWord(journal)}`,
    cause: thrown,
  });
}
