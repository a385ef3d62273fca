// The README's reference is that of the commands, and every example in it runs: in a directory that has what they name.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { renameSync } from "node:fs";
import { join, resolve } from "node:path";
import { loadSpecs } from "../../src/cli/registry.ts";
import { withReference } from "../../scripts/reference.ts";
import { readDocument } from "./documents.ts";
import { has } from "../support/needs.ts";
import type { Place } from "./places.ts";
import { Stage } from "./stage.ts";

const FIXTURE = resolve(import.meta.dir, "../fixtures/8x16-2-shards/leader-clean");
const TEST_LIMIT_MS = 180_000;
/** Programs of the system that examples use; where one is missing the example is skipped. */
const TOOLS = ["jq", "man", "bash"];

/** Examples that do not end with 0 by themselves. */
const EXPECTED: Readonly<Record<string, { exit?: number; keeps?: string }>> = {
  "armdb replicate 10.0.0.5:7400 --data /var/lib/armdb/orders": { keeps: "following" },
  "armdb replicate 10.0.0.5:7400 --data ./copy --http 9100": { keeps: "following" },
  // No follower runs on them.
  "armdb status /var/lib/armdb/orders": { exit: 5 },
  "armdb status ./replica --watch": { keeps: "stopped" },
  "armdb serve /var/backups/orders --listen 127.0.0.1:7400": { keeps: "Serving" },
  "armdb serve ./replica --listen 10.0.0.5:7400": { keeps: "Serving" },
  "armdb serve ./replica --listen 127.0.0.1:0 --json | jq -r 'select(.type==\"listening\").at'": {
    keeps: "127.0.0.1:",
  },
  // The leader has gone on since the replica was made.
  "armdb compare ./replica db1:7400": { exit: 4 },
};

const examples = (await loadSpecs()).flatMap((spec) => spec.examples.map(({ command }) => command));

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
}, TEST_LIMIT_MS);
afterAll(() => stage[Symbol.asyncDispose](), TEST_LIMIT_MS);

test("README has the reference of the commands as they are", async () => {
  const { text } = readDocument("README.md");
  expect((await withReference(text)) === text || "sh scripts/reference writes it").toBe(true);
});

test("expectations are of examples that are there", () => {
  expect(Object.keys(EXPECTED).filter((command) => !examples.includes(command))).toEqual([]);
});

describe("example", () => {
  for (const command of new Set(examples)) {
    const hasTools = TOOLS.every((tool) => !new RegExp(`\\b${tool}\\b`).test(command) || has(tool));
    test.concurrentIf(hasTools)(
      command,
      () => stage.inTurn(command, () => runExample(command)),
      TEST_LIMIT_MS,
    );
  }
});

async function runExample(command: string): Promise<void> {
  const place = await stage.place(command);
  place.addToPath("dist");
  bringWhatExamplesName(place);
  if (command.includes("--undo"))
    await leaveJournal(place, /armdb-undo-\w+\.journal/.exec(command)?.[0] ?? "");
  const { exit = 0, keeps } = EXPECTED[command] ?? {};
  // Loading a completion is bash's own business; the rest is for any shell.
  const shell = command.startsWith("eval ") ? "bash" : "sh";
  if (keeps !== undefined) {
    await place.keep(command, keeps, shell);
    return;
  }
  const { status, output } = await place.run(command, shell);
  expect({ status, output }).toEqual({ status: exit, output });
}

function bringWhatExamplesName(place: Place): void {
  for (const path of ["db", "/var/lib/app/db"]) place.bring(FIXTURE, path);
  const replicas = ["replica", "backup", "/var/lib/app/replica", "/var/lib/armdb/orders"];
  for (const path of [...replicas, "/var/backups/orders"]) place.bring(stage.template, path);
}

/** A repair to take back, with the journal's name of the example. */
async function leaveJournal(place: Place, name: string): Promise<void> {
  place.damage("replica");
  const { output } = await place.run("armdb repair replica --apply --yes");
  const made = /armdb-undo-\w+\.journal/.exec(output)?.[0] ?? "";
  renameSync(join(place.path("replica"), made), join(place.path("replica"), name));
}
