// A follower's status for people: a verdict, a line a shard, what is wrong, and what to do next. Used by commands/status.ts and
// for SIGUSR1. Pure. Fits 80 columns; text of the leader is escaped.

import type {
  ShardStatus,
  SlotWord,
  StatusDocument,
  StatusVerdict,
} from "../../status/status-types.ts";
import { goOnCommand } from "./copy.ts";
import type { Palette } from "../surface/surface.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCount, formatCounted, formatDuration, formatRough } from "../surface/numbers.ts";
import { type Column, cutText, tableLines, wrapText } from "../surface/tables.ts";

export interface StatusStyle {
  readonly palette: Palette;
  readonly columns: number;
  /** As the user gave it. */
  readonly dir: string;
}

const COLUMNS: readonly Column[] = [
  { title: "shard", align: "right" },
  { title: "state" },
  { title: "lag", align: "right" },
  { title: "records", align: "right" },
  { title: "slots", align: "right" },
  { title: "last scan", align: "right" },
  { title: "healed", align: "right" },
  { title: "diverged", align: "right" },
];

/** Durable lag that is worth a word. */
const DURABLE_LAG_SHOWN_MS = 1_000;
/** Diverged slots that are listed by number; the others are in --json. */
const DIVERGED_SHOWN = 5;

export function statusLines(document: StatusDocument, style: StatusStyle): string[] {
  const lines = headLines(document, style);
  const rows = document.shards.map((shard) => rowOf(shard, style.palette));
  if (rows.length > 0) {
    const bold = (title: string) => style.palette.bold(title);
    lines.push("", ...tableLines(COLUMNS, rows, style.columns, bold));
  }
  const notes = document.shards.flatMap((shard) => shardNotes(shard));
  const more = [...notes, ...nextSteps(document, style.dir)];
  if (more.length > 0) lines.push("");
  for (const line of more) lines.push(...wrapText(line, style.columns));
  return lines;
}

function headLines(document: StatusDocument, { palette, columns, dir }: StatusStyle): string[] {
  const { verdict, leader, shards } = document;
  const colour = colourOf(verdict, palette);
  const name = leader === null ? "a leader that is not known" : escapeText(leader);
  if (document.running && shards.length === 0) {
    const about = `process ${document.pid ?? "?"} has not reached it yet; nothing is made in ${escapeText(dir)}`;
    return [cutText(`${colour(verdict)}: no shard of ${name} yet`, columns), ...wrapText(about, columns)];
  }
  const about = document.running ? processLine(document) : filesLine(document, escapeText(dir));
  const said = VERDICTS[verdict](name, formatCounted(shards.length, "shard"));
  // Such a one is also stopped, and both is said.
  const first =
    verdict === "incomplete" ? `${colour("stopped")}; ${said}` : `${colour(verdict)}: ${said}`;
  return [cutText(first, columns), ...wrapText(about, columns)];
}

const VERDICTS: Readonly<Record<StatusVerdict, (leader: string, shards: string) => string>> = {
  live: (leader, shards) => `${shards}, following ${leader}`,
  behind: (leader, shards) => `${shards} of ${leader}, not all of them live`,
  stalled: (leader, shards) => `${shards} of ${leader}, not all of them moving`,
  diverged: (leader, shards) => `${shards} of ${leader}, not all of them its copy`,
  incomplete: () => "the first copy is not complete",
  stopped: () => "no follower runs here",
};

function processLine(document: StatusDocument): string {
  const { pid, upMs, protocol, connectionsToday, connectionsPerDay, scanningShare } = document;
  const parts = [
    `process ${pid ?? "?"}, up ${formatDuration(upMs ?? 0)}`,
    protocol === null ? "protocol not known yet" : `protocol ${protocol}`,
  ];
  if (protocol === 1) {
    const limit = connectionsPerDay === null ? "" : ` of ${formatCount(connectionsPerDay)}`;
    parts.push(`${formatCount(connectionsToday ?? 0)}${limit} connections today`);
  }
  parts.push(`scanning ${((scanningShare ?? 0) * 100).toFixed(1)}%`);
  if (document.stopping) parts.push("being stopped");
  return parts.join(", ");
}

function filesLine({ leader, protocol, holder }: StatusDocument, dir: string): string {
  if (holder !== null) {
    const who = holder.pid === null ? "another process" : `process ${holder.pid}`;
    return `${who} has ${dir} open (${holder.kind}), and does not answer as a follower`;
  }
  if (leader === null) return "from its files; they do not name a leader";
  const spoken = protocol === null ? "" : ` (protocol ${protocol})`;
  return `from its files; the last leader was ${escapeText(leader)}${spoken}`;
}

function rowOf(shard: ShardStatus, palette: Palette): string[] {
  const { state, divergedSlots, healedTotal } = shard;
  const diverged = divergedSlots ?? 0;
  return [
    String(shard.shard),
    colourOfState(state, palette)(state),
    shard.lagMs === null
      ? shard.caughtUp === false
        ? "infinite"
        : "-"
      : formatDuration(shard.lagMs),
    shard.occupied === null ? "-" : formatRough(shard.occupied),
    shard.slots === null ? "-" : formatRough(shard.slots),
    shard.lastFullScanMsAgo === null ? "-" : formatDuration(shard.lastFullScanMsAgo),
    healedTotal === null ? "-" : formatRough(Number(healedTotal)),
    divergedSlots === null
      ? "-"
      : diverged > 0
        ? palette.red(formatCount(diverged))
        : formatCount(diverged),
  ];
}

/** What there is to say of a shard besides its row. */
function shardNotes(shard: ShardStatus): string[] {
  const { state, activity, lastError, durableLagMs, caughtUp, complete } = shard;
  const notes: string[] = [];
  const name = `shard ${shard.shard}`;
  if (state === "stopped" && complete === false) {
    notes.push(`${name}: its first copy has not ended`);
  }
  if (state !== "live" && state !== "stopped" && activity !== null) {
    const never = caughtUp === false ? " (it has never caught up)" : "";
    notes.push(`${name}: ${escapeText(activity)}${never}`);
  }
  // The activity says the error already while it lasts.
  if (lastError !== null && activity?.includes(lastError) !== true) {
    notes.push(`${name}: last error: ${escapeText(lastError)}`);
  }
  if (durableLagMs !== null && durableLagMs >= DURABLE_LAG_SHOWN_MS) {
    notes.push(`${name}: writes of ${formatDuration(durableLagMs)} ago are not durable yet`);
  }
  if (shard.diverged.length > 0) notes.push(`${name}: ${divergedText(shard)}`);
  return notes;
}

function divergedText({ diverged, divergedSlots }: ShardStatus): string {
  const shown = diverged.slice(0, DIVERGED_SHOWN).map(({ slot, kind, here, there }) => {
    const leader = there === null ? "nothing" : wordText(there);
    return `slot ${slot} (${kind}: ${wordText(here)} here, ${leader} there)`;
  });
  const total = Math.max(divergedSlots ?? 0, diverged.length);
  const more = total > shown.length ? ` and ${formatCount(total - shown.length)} more` : "";
  return `diverged: ${shown.join(", ")}${more}`;
}

function wordText({ status, version }: SlotWord): string {
  return `${escapeText(status)} v${version}`;
}

/** What to run next, by the verdict. */
function nextSteps({ verdict, leader, shards }: StatusDocument, given: string): string[] {
  const dir = escapeText(given);
  const name = leader === null ? "LEADER" : escapeText(leader);
  const failed = shards.some((shard) => shard.state === "failed");
  switch (verdict) {
    case "live":
      return [];
    case "behind":
      if (shards.length === 0) return [`Try: armdb doctor ${name} --data ${dir}`];
      if (shards.some((shard) => shard.state === "polling")) {
        return [
          "This leader gives its live stream once and gave it to somebody else: restart the leader to have it again.",
        ];
      }
      return shards.some((shard) => shard.lastError !== null) ? [`Try: armdb doctor ${name}`] : [];
    case "stalled":
      if (failed) return [`Try: armdb verify ${dir}, then start the follower again`];
      return [`Try: armdb doctor ${name} --data ${dir}`];
    case "diverged":
      return [
        `Try: armdb compare ${dir} ${name}; to take the leader's, stop the follower and run armdb replicate ${name} --data ${dir} --accept-leader`,
      ];
    case "incomplete":
      return [`Try: ${goOnCommand({ leader }, given)}`];
    case "stopped":
      return [`Try: armdb replicate ${name} --data ${dir}, or armdb verify ${dir}`];
  }
}

function colourOf(verdict: StatusVerdict, palette: Palette): (text: string) => string {
  switch (verdict) {
    case "live":
      return palette.green;
    case "behind":
    case "incomplete":
      return palette.yellow;
    case "stalled":
    case "diverged":
      return palette.red;
    case "stopped":
      return palette.bold;
  }
}

function colourOfState(state: ShardStatus["state"], palette: Palette): (text: string) => string {
  switch (state) {
    case "live":
      return palette.green;
    case "connecting":
    case "scanning":
    case "polling":
    case "waiting":
      return palette.yellow;
    case "stalled":
    case "failed":
    case "diverged":
      return palette.red;
    case "stopped":
      return palette.dim;
  }
}
