// docs/incidents.md has an entry for each kind of finding, each error code and each state; its commands run on a directory
// that has just that; and what it gives as the remedy for damage, or for a copy that is not whole, does away with it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { FINDING_KINDS, type FindingKind } from "../../src/audit/findings.ts";
import { EXIT_STATUS, type ErrorCode } from "../../src/errors.ts";
import { SHARD_STATES } from "../../src/status/status-types.ts";
import { FILE_CASES } from "../audit/file-cases.ts";
import type { FindingCase } from "../audit/finding-case.ts";
import { SampleDatabase, type Shape, type State } from "../audit/sample-databases.ts";
import { SIDE_CASES } from "../audit/side-cases.ts";
import { SLOT_CASES } from "../audit/slot-cases.ts";
import { Armdb } from "../support/armdb.ts";
import { runProgram } from "../support/program.ts";
import { type Entry, entriesOf, readDocument, sectionOf } from "./documents.ts";

const DOCUMENT = readDocument("docs/incidents.md");
const CASES: readonly FindingCase[] = [...FILE_CASES, ...SLOT_CASES, ...SIDE_CASES];
const PARTS = ["Symptom", "Command", "Meaning", "Remedy"];
const TEST_LIMIT_MS = 180_000;
const COMMAND_LIMIT_MS = 60_000;
const ALL_TESTS_LIMIT_MS = 1_800_000;
/** Damage that no command takes away. */
const MENDED_BY_HAND: readonly FindingKind[] = ["file-type"];

const sections = {
  states: entriesOf(sectionOf(DOCUMENT, "States of a shard")),
  findings: entriesOf(sectionOf(DOCUMENT, "Findings")),
  errors: entriesOf(sectionOf(DOCUMENT, "Errors")),
};

describe("docs/incidents.md", () => {
  const names = (entries: readonly Entry[]) => entries.map(({ name }) => name);

  test("has an entry for each state", () => {
    expect(names(sections.states).sort()).toEqual([...SHARD_STATES].sort());
  });

  test("has an entry for each kind of finding, with its severity", () => {
    expect(names(sections.findings).sort()).toEqual(Object.keys(FINDING_KINDS).sort());
    for (const { name, text } of sections.findings) {
      const { severity } = FINDING_KINDS[name as FindingKind];
      expect(text).toContain(`- **Symptom:** ${severity}`);
    }
  });

  test("has an entry for each error code, with its exit status", () => {
    const headings = sections.errors.map(({ text }) => text.split("\n")[0]);
    const codes = Object.keys(EXIT_STATUS) as ErrorCode[];
    expect(headings.sort()).toEqual(
      codes.map((code) => `\`${code}\` (${EXIT_STATUS[code]})`).sort(),
    );
  });

  test("says symptom, command, meaning and remedy in each entry", () => {
    for (const { name, text } of Object.values(sections).flat()) {
      const parts = [...text.matchAll(/^- \*\*(\w+):\*\*/gm)].map(([, part]) => part);
      expect({ name, parts }).toEqual({ name, parts: PARTS });
      expect({ name, commands: commandsOf(partOf(text, "Command")).length > 0 }).toMatchObject({
        commands: true,
      });
    }
  });
});

/** Sound directories of a shape, and a leader that serves what they hold. */
class Source implements AsyncDisposable {
  readonly database: SampleDatabase;
  readonly #leader: Armdb;
  readonly address: string;

  private constructor(database: SampleDatabase, leader: Armdb, address: string) {
    this.database = database;
    this.#leader = leader;
    this.address = address;
  }

  static async start(shape: Shape): Promise<Source> {
    const database = new SampleDatabase(shape, "leader-clean");
    const words = ["serve", database.path, "--listen", "127.0.0.1:0", "--json"];
    const leader = Armdb.start(words, { limitMs: ALL_TESTS_LIMIT_MS });
    const { at } = await leader.line({ type: "listening" });
    return new Source(database, leader, String(at));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leader.stop();
    this.database[Symbol.dispose]();
  }
}

const DEFAULT_SHAPE: Shape = "8x16-2-shards";
const sources = new Map<Shape, Source>();
beforeAll(async () => {
  const shapes = new Set(CASES.map(({ shape = DEFAULT_SHAPE }) => shape));
  for (const shape of shapes) sources.set(shape, await Source.start(shape));
}, TEST_LIMIT_MS);
afterAll(async () => {
  for (const source of sources.values()) await source[Symbol.asyncDispose]();
}, TEST_LIMIT_MS);

describe("commands of", () => {
  for (const { name, text } of sections.findings) {
    const found = CASES.find(({ kind }) => kind === name) ?? null;
    test(`finding ${name}`, () => tryFinding(name as FindingKind, text, found), TEST_LIMIT_MS);
  }
  for (const { name, text } of [...sections.states, ...sections.errors]) {
    test(
      `${name}`,
      async () => {
        const source = sourceOf(DEFAULT_SHAPE);
        for (const command of commandsOf(text)) {
          using db = new SampleDatabase(DEFAULT_SHAPE, "follower-clean");
          await runCommand(command, db, source, { shard: 0, slot: 5 });
        }
      },
      TEST_LIMIT_MS,
    );
  }
});

async function tryFinding(
  kind: FindingKind,
  text: string,
  found: FindingCase | null,
): Promise<void> {
  const shape = found?.shape ?? DEFAULT_SHAPE;
  const source = sourceOf(shape);
  const place = placeOf(found);
  const remedyPart = partOf(text, "Remedy");
  for (const command of commandsOf(text.replace(remedyPart, ""))) {
    using db = damaged(shape, stateFor(command, found), found);
    await runCommand(command, db, source, place);
  }
  const remedies = commandsOf(remedyPart);
  const { severity } = FINDING_KINDS[kind];
  const hasRemedy = severity === "damage" || severity === "incomplete";
  const isMended = hasRemedy && found !== null && !MENDED_BY_HAND.includes(kind);
  if (isMended) expect(remedies.length).toBeGreaterThan(0);
  for (const command of remedies) {
    using db = damaged(shape, stateFor(command, found), found);
    await runCommand(command, db, source, place);
    if (!isMended) continue;
    const { stdout } = await runProgram(["verify", db.path, "--json"], {
      timeoutMs: COMMAND_LIMIT_MS,
    });
    const { findings } = JSON.parse(stdout) as { findings: { kind: string }[] };
    const left = findings.filter((finding) => finding.kind === kind);
    expect({ command, left }).toEqual({ command, left: [] });
  }
}

function sourceOf(shape: Shape): Source {
  const source = sources.get(shape);
  if (source === undefined) throw new Error(`no source of ${shape}`);
  return source;
}

/** Only a replica is followed into. */
function stateFor(command: string, found: FindingCase | null): State {
  return command.startsWith("armdb replicate")
    ? "follower-clean"
    : (found?.state ?? "leader-dirty");
}

function damaged(shape: Shape, state: State, found: FindingCase | null): SampleDatabase {
  const db = new SampleDatabase(shape, state);
  found?.damage(db);
  return db;
}

/** `0 5 4256`: shard, slot and byte of a case; null where there is none. */
function placeOf(found: FindingCase | null): { shard: number; slot: number } {
  const [shard, slot] = (found?.at ?? "").split(" ").map(Number);
  return { shard: shard || 0, slot: slot || 5 };
}

/** The text behind `- **Name:**`, until the next one. */
function partOf(text: string, name: string): string {
  return text.split(/^- \*\*/m).find((part) => part.startsWith(`${name}:**`)) ?? "";
}

/** Whole commands; `armdb config` and the like in a sentence are run as well. */
function commandsOf(text: string): string[] {
  return [...text.matchAll(/`(armdb [^`]+)`/g)].map(([, command = ""]) =>
    command.replace(/\s+/g, " "),
  );
}

/** Runs it with the placeholders filled in; it must be one that armdb accepts, and no fault of armdb. */
async function runCommand(
  command: string,
  db: SampleDatabase,
  source: Source,
  place: { readonly shard: number; readonly slot: number },
): Promise<void> {
  const values: Readonly<Record<string, string>> = {
    DIR: db.path,
    DIR2: source.database.path,
    LEADER: source.address,
    SHARD: String(place.shard),
    SLOT: String(place.slot),
    "SHARD:SLOT": `${place.shard}:${place.slot}`,
  };
  const words = command
    .split(" ")
    .slice(1)
    .map((word) => values[word] ?? word);
  if (words[0] === "replicate" && !words.includes("--once")) words.push("--once");
  // Where a person answers, a test says yes.
  if (words.includes("--apply")) words.push("--yes");
  const ran = await runProgram(words, {
    env: { HOME: join(db.path, "..") },
    timeoutMs: COMMAND_LIMIT_MS,
  });
  expect({ command, ...ran, accepted: ran.status !== 1 && ran.status !== 2 }).toMatchObject({
    command,
    accepted: true,
  });
  if (words.includes("--apply")) expect({ command, ...ran }).toMatchObject({ command, status: 0 });
}
