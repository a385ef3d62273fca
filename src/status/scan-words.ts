// Why a whole scan runs or is due, in words for people: one table for the log and status. Pure.

const WHYS: Readonly<Record<string, string>> = {
  first: "the first copy",
  reconnect: "the connection was lost",
  loss: "events may have been lost",
  cut: "the scan before it broke off",
  accept: "--accept-leader takes the leader's records with it",
  settle: "slots looked different",
  "old-ring": "events may have been lost before the first connection",
  asked: "compare asked for it",
  calendar: "it was time for one",
};

/** A scan that comes by itself, again and again: no news, unless it found something. */
export function isRoutine(why: string): boolean {
  return why === "calendar" || why === "settle";
}

/** A word that is not known, from another version, stands for itself. */
export function scanWhyText(why: string): string {
  return Object.hasOwn(WHYS, why) ? (WHYS[why] ?? why) : why;
}

/** Of a whole scan that was not the first: `rescan, because compare asked for it: nothing to repair`. */
export function rescanText(why: string, changed: number, healed: number): string {
  const slots = (count: number) =>
    `${count.toLocaleString("en-US")} ${count === 1 ? "slot" : "slots"}`;
  const head = why === "asked" ? "rescan, asked by compare" : `rescan, because ${scanWhyText(why)}`;
  if (healed > 0) return `${head}: this scan repaired ${slots(healed)}`;
  // Where the stream began again with the scan, lost or just written cannot be told.
  return changed > 0
    ? `${head}: ${slots(changed)} brought up to date`
    : `${head}: nothing to repair`;
}
