// The test of the model: machines that are wrong in one rule, made by changing a copy of the machine's text, must each
// break the property that this rule is for. A text that is not there any more is a failure too.

import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { TempRoot } from "../../support/temp.ts";
import { holdHistory } from "./history.ts";
import type { Machine } from "./properties.ts";

const SEEDS = 1_000;
const SRC = resolve(import.meta.dir, "../../../src");

interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

interface Mutant {
  readonly wrong: string;
  /** One of these breaks. */
  readonly breaks: readonly string[];
  readonly changes: readonly Change[];
}

const change = (file: string, from: string, to: string): Change => ({ file, from, to });

const MUTANTS: readonly Mutant[] = [
  {
    wrong: "a scan that was dialed before the debt pays it",
    breaks: ["owed"],
    changes: [change("owed.ts", "dialedAt > owed.since", "dialedAt > 0")],
  },
  {
    wrong: "time ends a run of full batches",
    breaks: ["stale"],
    changes: [
      change(
        "owed.ts",
        "  if (state.run === null && !batch.full) return state;",
        `  const { run } = state;
  if (run !== null && run.events < state.settings.runEventsSuspect && nowMs - run.sinceMs > 1_000) state = { ...state, run: null };
  if (state.run === null && !batch.full) return state;`,
      ),
    ],
  },
  {
    wrong: "a debt that joins keeps the earlier since",
    breaks: ["stale", "heals"],
    changes: [change("owed.ts", "Math.max(owed.since, later.since)", "owed.since")],
  },
  {
    wrong: "a debt is paid while nobody has vouched for the scan",
    breaks: ["beside", "judge"],
    changes: [
      change(
        "owed.ts",
        `if (main.at !== "streaming" || owed === null`,
        `if (!("stream" in main) || owed === null`,
      ),
      change("owed.ts", "if (last?.isJudged !== true) return null;\n  if", "if"),
      change(
        "step.ts",
        `state.main.at === "streaming" && state.main.protocol === 1`,
        `"stream" in state.main && state.main.protocol === 1`,
      ),
    ],
  },
  {
    wrong: "a verdict on the stream clears what is owed",
    breaks: ["owed"],
    changes: [
      change(
        "stream.ts",
        "main: { ...main, stream } };",
        "main: { ...main, stream }, owed: null };",
      ),
    ],
  },
  {
    wrong: "a stream that has not shown itself in time is taken for live",
    breaks: ["stream"],
    changes: [change("stream.ts", `= { is: "probing", probeAtMs: null }`, `= { is: "live" }`)],
  },
  {
    wrong: "an echo of the probe is taken for a heartbeat of the stream",
    breaks: ["stream"],
    changes: [change("stream.ts", "? POLLING : LIVE", "? LIVE : LIVE")],
  },
  {
    wrong: "a whole scan resets the backoff",
    breaks: ["pauses"],
    changes: [
      change(
        "whole.ts",
        "last, counts };",
        "last, counts, pauses: { ...state.pauses, main: { delayMs: 1_000, soonTries: 0 } } };",
      ),
    ],
  },
  {
    wrong: "CaughtUp is judged",
    breaks: ["judge"],
    changes: [
      change(
        "main.ts",
        "      const stream = firstVerdict",
        `      turn.actions.push({ kind: "judge", link: main.link });\n      const stream = firstVerdict`,
      ),
    ],
  },
  {
    wrong: "a refused connect is counted",
    breaks: ["budget"],
    changes: [
      change(
        "connections.ts",
        "  const [dialedAt, beganAtMs]",
        `  turn.actions.push({ kind: "tell", request: link, what: "accepted" });\n  const [dialedAt, beganAtMs]`,
      ),
    ],
  },
  {
    wrong: "a place at the gate is kept when its connection ends",
    breaks: ["places"],
    changes: [change("ends.ts", "  freePlace(main, turn);\n", "")],
  },
  {
    wrong: "a run is not over with its connection",
    breaks: ["run"],
    changes: [change("ends.ts", "run: null, scheduledAtMs: null,", "scheduledAtMs: null,")],
  },
  {
    wrong: "a whole scan is taken for durable",
    breaks: ["ready"],
    changes: [
      change("whole.ts", "last, counts };", "last, counts, durableLink: link, complete: true };"),
    ],
  },
  {
    wrong: "the calendar is not set again",
    breaks: ["wake", "heals"],
    changes: [
      change(
        "whole.ts",
        "return schedule(lookAgain(settled, turn.nowMs), turn.nowMs);",
        "return lookAgain(settled, turn.nowMs);",
      ),
    ],
  },
];

const root = new TempRoot("mutants");
afterAll(() => root[Symbol.dispose]());

async function machineOf(changes: readonly Change[]): Promise<Machine> {
  const dir = root.fresh("machine");
  cpSync(join(SRC, "replica/machine"), dir, { recursive: true });
  for (const name of new Bun.Glob("*.ts").scanSync(dir)) {
    let text = readFileSync(join(dir, name), "utf8").replaceAll(`"../../`, `"${SRC}/`);
    for (const { from, to } of changes.filter(({ file }) => file === name)) {
      expect([from, text.split(from).length]).toEqual([from, 2]);
      text = text.replace(from, () => to);
    }
    writeFileSync(join(dir, name), text);
  }
  const [moves, shows] = await Promise.all([
    import(join(dir, "step.ts")),
    import(join(dir, "shown.ts")),
  ]);
  return { ...moves, ...shows };
}

/** What breaks first, and at which seed. */
function firstBreak(machine: Machine): string | null {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      holdHistory(machine, seed);
    } catch (thrown) {
      return `${(thrown as Error).message}`.replace(/^Error: /, "").split(":")[0] ?? "";
    }
  }
  return null;
}

describe("a machine in which", () => {
  test("nothing is wrong breaks nothing", async () => {
    expect(firstBreak(await machineOf([]))).toBe(null);
  });

  test.each(MUTANTS.map((mutant) => [mutant.wrong, mutant] as const))("%s", async (_, mutant) => {
    expect(mutant.breaks).toContain(firstBreak(await machineOf(mutant.changes)) ?? "nothing");
  });
});
