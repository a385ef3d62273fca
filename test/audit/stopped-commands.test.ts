// What a command says that a signal ended early: the signal's status, `stopped` in its document, and never that all is well.

import { describe, expect, test } from "bun:test";
import { compareCommand } from "../../src/cli/commands/compare.ts";
import { inspectCommand } from "../../src/cli/commands/inspect.ts";
import { inspectKeyCommand } from "../../src/cli/commands/inspect-key.ts";
import { inspectShardCommand } from "../../src/cli/commands/inspect-shard.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { verifyCursorCommand } from "../../src/cli/commands/verify-cursor.ts";
import type { Disk } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { runCommand } from "../support/run-command.ts";
import { failingDisk } from "./failing-disk.ts";
import { SampleDatabase } from "./sample-databases.ts";

const COMMANDS = [
  [verifyCommand, []],
  [verifyCursorCommand, []],
  [inspectCommand, []],
  [inspectShardCommand, ["0"]],
  [inspectKeyCommand, ["u64be:2"]],
  [compareCommand, ["DIR"]],
  [repairCommand, []],
  [repairCommand, ["--apply", "--yes"]],
] as const;

const SIGNALS = [
  ["SIGINT", 130, "follower-clean"],
  ["SIGTERM", 143, "leader-clean"],
  ["SIGHUP", 129, "leader-dirty"],
] as const;

/** Words that say more than was looked at. */
const TOO_MUCH = /\bOK\b|nothing wrong|nothing to do|all the same|^same|no slot has it|no damage/;

describe("a command that was stopped", () => {
  for (const [command, more] of COMMANDS) {
    const name = [command.spec.name, ...more].join(" ");

    for (const [signal, status, state] of SIGNALS) {
      test(`${name} ends with ${status} on ${signal}, and says so`, async () => {
        using db = new SampleDatabase("8x16-2-shards", state);
        const words = [db.path, ...more.map((word) => (word === "DIR" ? db.path : word))];
        const before = db.digest();
        const stop = AbortSignal.abort(signal);
        const json = await runCommand(command, [...words, "--json"], { stop });
        expect(json).toMatchObject({ status, error: null, documents: [{ stopped: true }] });
        const [{ verdict }] = json.documents as [{ verdict?: string }];
        expect(["ok", "same", "nothing-to-do", "planned", "repaired"]).not.toContain(verdict);
        const text = await runCommand(command, words, { stop });
        expect(text).toMatchObject({ status, error: null });
        for (const line of text.lines) expect(line).not.toMatch(TOO_MUCH);
        expect(text.lines.join("\n")).toMatch(/stopped|UNKNOWN/);
        expect(db.digest()).toBe(before);
      });
    }

    test(`${name} says that it was not stopped`, async () => {
      using db = new SampleDatabase("8x16-2-shards", "follower-clean");
      const words = [db.path, ...more.map((word) => (word === "DIR" ? db.path : word))];
      const { documents } = await runCommand(command, [...words, "--json"]);
      expect(documents).toMatchObject([{ stopped: false }]);
    });
  }
});

/** The real disk, whose reads of a shard's slots stop the run from the n-th on. */
function stoppingDisk(nth: number, stop: AbortController): Disk {
  let reads = 0;
  return failingDisk(realDisk, () => {
    reads += 1;
    if (reads === nth) stop.abort("SIGTERM");
    return null;
  });
}

describe("a stop after the n-th read", () => {
  for (const [command, more] of COMMANDS) {
    if (more[0] === "--apply") continue;
    const name = [command.spec.name, ...more].join(" ");
    test(`${name}, for every n: the status of the signal or that of all that was read`, async () => {
      using db = new SampleDatabase("8x16-2-shards", "follower-clean");
      db.flipBit("shard_001/fixed.data", 4096 + 5 * 32 + 20, 0);
      const words = [db.path, ...more.map((word) => (word === "DIR" ? db.path : word)), "--json"];
      const before = db.digest();
      const whole = await runCommand(command, words, { disk: { ...realDisk } });
      for (let nth = 1; ; nth++) {
        const stop = new AbortController();
        const disk = stoppingDisk(nth, stop);
        const run = await runCommand(command, words, { disk, stop: stop.signal });
        if (!stop.signal.aborted) break;
        const [document] = run.documents as { stopped: boolean }[];
        expect(run.error).toBeNull();
        if (document?.stopped === true) expect(run.status).toBe(143);
        else expect(run.documents).toMatchObject(stable(whole.documents));
      }
      expect(db.digest()).toBe(before);
    });
  }
});

/** Without what differs from run to run. */
function stable(documents: readonly unknown[]): object[] {
  return documents.map((document) => {
    const { ms: _, ...rest } = document as Record<string, unknown>;
    return rest;
  });
}
