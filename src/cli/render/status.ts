// A follower's status for people: a verdict, a line a shard, what is wrong, and what to do next. Used by commands/status.ts and
// for SIGUSR1. Pure. Fits 80 columns; text of the leader is escaped.

import type { ShardStatus, StatusDocument, StatusVerdict } from "../../status/status-types.ts";
import { goOnCommand } from "./copy.ts";
import { colourOfState, STATES_BY_NEED } from "./shard-states.ts";
import { noteLines } from "./status-notes.ts";
import { catchUpText } from "../../status/status-line.ts";
import type { Palette } from "../surface/surface.ts";
import { escapeText } from "../surface/escape.ts";
import {
  formatCount,
  formatCounted,
  formatDuration,
  formatRough,
  formatTime,
} from "../surface/numbers.ts";
import { cutText, type Column, tableLines, wrapText } from "../surface/tables.ts";

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

export function statusLines(document: StatusDocument, style: StatusStyle): string[] {
  const lines = headLines(document, style);
  const shards = [...document.shards].sort(byNeed);
  const rows = shards.map((shard) => rowOf(shard, style.palette));
  if (rows.length > 0) {
    const bold = (title: string) => style.palette.bold(title);
    lines.push("", ...tableLines(COLUMNS, rows, style.columns, bold));
  }
  const notes = noteLines(shards, document);
  if (document.saveError !== null) notes.push(escapeText(document.saveError));
  const more = [...notes, ...nextSteps(document, style.dir)];
  if (more.length > 0) lines.push("");
  for (const line of more) lines.push(...wrapText(line, style.columns));
  return lines;
}

function headLines(document: StatusDocument, { palette, columns, dir }: StatusStyle): string[] {
  const { verdict, leader, shards } = document;
  const colour = colourOf(verdict, palette);
  if (document.running && shards.length === 0) {
    const name = leader === null ? "a leader that is not known" : escapeText(leader);
    const about = `process ${document.pid ?? "?"} has not reached it yet; nothing is made in ${escapeText(dir)}`;
    return [
      cutText(`${colour(verdict)}: no shard of ${name} yet`, columns),
      ...wrapText(about, columns),
    ];
  }
  // An incomplete one is also stopped, and both is said.
  const word = verdict === "incomplete" ? `${colour("stopped")};` : `${colour(verdict)}:`;
  const about = document.running ? processLine(document) : filesLine(document, escapeText(dir));
  return [...wrapText(`${word} ${verdictText(document)}`, columns), ...wrapText(about, columns)];
}

/** `2 of 2 shards differ from leader X`, `61 of 64 shards are scanning, 3 are live`. */
function verdictText({ running, verdict, leader, shards }: StatusDocument): string {
  const name = leader === null ? "a leader that is not known" : `leader ${escapeText(leader)}`;
  const all = formatCounted(shards.length, "shard");
  switch (verdict) {
    case "live":
      return `${all}, following ${leader === null ? name : escapeText(leader)}`;
    case "behind":
    case "stalled":
      return `${statesText(shards)}, of ${name}`;
    case "diverged": {
      const diverged = shards.filter(({ divergedSlots }) => (divergedSlots ?? 0) > 0).length;
      const stopped = running ? "" : "; no follower runs here";
      return `${formatCount(diverged)} of ${all} ${diverged === 1 ? "differs" : "differ"} from ${name}${stopped}`;
    }
    case "incomplete":
      return "the first copy is not complete";
    case "stopped":
      return "no follower runs here";
  }
}

/** How many are in which state, the worst first. */
function statesText(shards: readonly ShardStatus[]): string {
  const counts = new Map<string, number>();
  for (const { state } of [...shards].sort(byNeed)) {
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  if (counts.size === 0) return "no shard is known yet";
  const [first, ...rest] = [...counts];
  const [state, count] = first as [string, number];
  const be = (number: number) => (number === 1 ? "is" : "are");
  const head = `${formatCount(count)} of ${formatCounted(shards.length, "shard")} ${be(count)} ${state}`;
  const tail = rest.map(([other, number]) => `${formatCount(number)} ${be(number)} ${other}`);
  return [head, ...tail].join(", ");
}

/** What needs a person first, then by number. */
function byNeed(left: ShardStatus, right: ShardStatus): number {
  const need = ({ state }: ShardStatus) => STATES_BY_NEED.indexOf(state);
  return need(left) - need(right) || left.shard - right.shard;
}

function processLine(document: StatusDocument): string {
  const { pid, upMs, protocol, connectionsToday, connectionsPerDay } = document;
  const parts = [
    `PID ${pid ?? "?"}, up ${formatDuration(Math.round((upMs ?? 0) / 1000) * 1000)}`,
    protocol === null ? "protocol not known yet" : `protocol ${protocol}`,
  ];
  if (protocol === 1) {
    const limit = connectionsPerDay === null ? "" : ` of ${formatCount(connectionsPerDay)}`;
    parts.push(`${formatCount(connectionsToday ?? 0)}${limit} connections today`);
  }
  const catchUp = catchUpText(document.catchUp);
  if (catchUp !== "") parts.push(catchUp);
  if (document.stopping) parts.push("being stopped");
  return parts.join(", ");
}

function filesLine(document: StatusDocument, dir: string): string {
  const { leader, protocol, holder, savedAtMs, atMs } = document;
  if (holder !== null) {
    const who = holder.pid === null ? "another process" : `process ${holder.pid}`;
    return `${who} has ${dir} open (${holder.kind}), and does not answer as a follower`;
  }
  if (leader === null) return "from its files; they do not name a leader";
  const saved = savedAtMs === null ? "" : `, saved ${formatDuration(atMs - savedAtMs)} ago`;
  const spoken = protocol === null ? "" : ` (protocol ${protocol})`;
  return `from its files${saved}; the last leader was ${escapeText(leader)}${spoken}`;
}

function rowOf(shard: ShardStatus, palette: Palette): string[] {
  const { state, divergedSlots, healedTotal } = shard;
  const diverged = divergedSlots ?? 0;
  return [
    String(shard.shard),
    palette[colourOfState(state)](state),
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

/** What to run next, by the verdict. */
function nextSteps({ running, verdict, leader, shards }: StatusDocument, given: string): string[] {
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
        `Try: armdb compare ${dir} ${name}; to take the leader's, ${running ? "stop the follower and " : ""}run armdb replicate ${name} --data ${dir} --accept-leader`,
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
