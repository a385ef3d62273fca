// JSON of printable ASCII alone, whatever a leader wrote into its error texts: for the control socket and HTTP, whose readers
// may be terminals (reliability: leader text is escaped). Pure.

/** One line without its newline. bigint becomes a string. */
export function asciiJson(value: unknown): string {
  const json = JSON.stringify(value, (_name, each: unknown) =>
    typeof each === "bigint" ? each.toString() : each,
  );
  return json.replace(/[^\x20-\x7e]/g, escapeUnit);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
