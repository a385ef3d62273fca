// The time with which each line of text on stderr begins off a terminal. Tests of what is said leave it out; that it is there is
// held by test/cli/messages.test.ts.

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z /gm;

/** The text without the times of its lines. */
export function withoutTimes(text: string): string {
  return text.replace(TIME, "");
}
