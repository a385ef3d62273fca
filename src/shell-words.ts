// One word of a command line, as a shell reads it. Used wherever a hint or a page shows a command to be run. Pure.

/** The text as it is where no shell would take it apart, else in single quotes. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9@%+=:,./_-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
