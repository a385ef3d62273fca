// --accept-leader with real leaders and the program as a process: afterwards nothing is left to explain. verify, compare and status
// say so, the reset log says whose doing it was, and a cursor that an earlier armdb left ahead is put right by any --once.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CURSOR_FIELDS } from "../../src/format/cursor.ts";
import { runArmdb } from "../support/armdb.ts";
import { inState } from "../support/follower-states.ts";
import { ORACLE_VERSIONS, oracleAvailable, type OracleVersion } from "../support/oracle.ts";
import { ReplicaStage } from "../support/replica-stage.ts";

const LIMIT_MS = 150_000;
const CONVERGE_MS = 10_000;

/** Exit status and what was printed as JSON. */
async function asked(...words: string[]): Promise<[number | null, Record<string, unknown>]> {
  const { status, stdout } = await runArmdb([...words, "--json"]);
  return [status, JSON.parse(stdout) as Record<string, unknown>];
}

/** A replica, and its leader as an older copy of itself, where some records are older and some are missing. */
async function diverged(stage: ReplicaStage) {
  const first = await stage.leader();
  await first.fill(0, 2_000, 1);
  await first.close();
  const older = await stage.copy(first.dir, "older");
  const leader = await stage.leader(first.dir, first.address);
  const dir = stage.path("replica");
  const follower = stage.follower(leader, dir);
  await inState(follower, "live", 2);
  // The greatest versions of all are those of records that the older copy does not have.
  for (const seed of [2, 3, 4, 5]) await leader.fill(1_990, 20, seed);
  for (const seed of [6, 7]) await leader.fill(2_000, 10, seed);
  await stage.converged(follower, dir, await leader.digest(), CONVERGE_MS);
  expect((await follower.stop()).status).toBe(0);
  await leader.kill();
  return { dir, restored: await stage.leader(older, leader.address) };
}

/** No slot has this version. */
function setCursorAhead(dir: string): void {
  const path = join(dir, "shard_000/fixed_repl.cursor");
  const bytes = readFileSync(path);
  bytes.writeUInt32LE(999, CURSOR_FIELDS.maxVersionSeen.offset);
  writeFileSync(path, bytes);
}

async function followsToTheEnd(version: OracleVersion): Promise<void> {
  await using stage = new ReplicaStage(version);
  const { dir, restored } = await diverged(stage);
  expect((await stage.follower(restored, dir, ["--once"]).ended()).status).toBe(4);
  expect(await asked("status", dir)).toMatchObject([4, { verdict: "diverged", running: false }]);

  const accepting = await stage.follower(restored, dir, ["--once", "--accept-leader"]).ended();
  expect(accepting.status).toBe(0);
  const kept = "20 slots that --accept-leader gave up: armdb-reset-0.log, armdb-reset-1.log";
  const note = { kind: "reset-saved", severity: "note", message: kept };
  expect(await asked("verify", dir)).toMatchObject([
    0,
    { verdict: "ok", findings: expect.arrayContaining([expect.objectContaining(note)]) },
  ]);
  expect(await asked("compare", dir, restored.address, "--yes")).toMatchObject([
    0,
    { verdict: "same" },
  ]);
  expect(await asked("status", dir)).toMatchObject([5, { verdict: "stopped", complete: true }]);
  expect(await stage.digest(dir)).toEqual(await restored.digest());

  setCursorAhead(dir);
  expect(await asked("verify", dir)).toMatchObject([
    3,
    { findings: expect.arrayContaining([expect.objectContaining({ kind: "cursor-ahead" })]) },
  ]);
  expect((await stage.follower(restored, dir, ["--once"]).ended()).status).toBe(0);
  expect((await asked("verify", dir))[0]).toBe(0);
}

describe.if(oracleAvailable())("--accept-leader", () => {
  for (const version of ORACLE_VERSIONS) {
    test.concurrent(
      `leaves a replica that is its leader's copy by every measure (${version})`,
      () => followsToTheEnd(version),
      LIMIT_MS,
    );
  }
});
