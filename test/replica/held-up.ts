// One follower that is held up with SIGSTOP and goes on: what held-up.test.ts and its slow sister show of each generation.

import { expect, test } from "bun:test";
import { inState } from "../support/follower-states.ts";
import type { OracleVersion } from "../support/oracle.ts";
import { ReplicaStage } from "../support/replica-stage.ts";
import type { StatusDocument } from "../../src/status/status-types.ts";
import { statusOf } from "../status/follow-questions.ts";

const CONVERGED_MS = 2_000;
/** A leader that has given the follower up meanwhile is connected to anew, and scanned. */
const RECONNECTED_MS = 30_000;
const SHARDS = 2;

/** What the leader said of the connection, or the system: the follower did not close it. */
const CLOSED_BY_LEADER = /the leader closed the connection|the connection broke/;

/** `idle`: the leader writes nothing meanwhile, and `keeps` then says that it has the connection still. */
export function heldUpTest(
  version: OracleVersion,
  seconds: number,
  { idle, keeps }: { readonly idle: boolean; readonly keeps: boolean },
): void {
  const kept = keeps ? ", keeps its stream" : "";
  const name = `of a ${idle ? "quiet" : "busy"} leader closes no connection${kept}, and is equal 2 s later`;
  test.concurrent(
    `${name} (${version})`,
    () => heldUp(version, seconds, idle, keeps),
    (seconds + 150) * 1000,
  );
}

async function heldUp(version: OracleVersion, seconds: number, idle: boolean, keeps: boolean) {
  await using stage = new ReplicaStage(version);
  const leader = await stage.leader();
  await leader.fill(0, 2_000, 1);
  const dir = stage.path("replica");
  const follower = stage.follower(leader, dir, [], { limitMs: (seconds + 120) * 1000 });
  await follower.ready();
  await inState(follower, "live", SHARDS);
  const before = (await statusOf(dir)).document;

  follower.signal("SIGSTOP");
  await Bun.sleep((seconds * 1000) / 2);
  if (!idle) await leader.fill(2_000, 20, 2);
  await Bun.sleep((seconds * 1000) / 2);
  follower.signal("SIGCONT");
  if (idle) await leader.fill(2_000, 20, 2);

  const wanted = await leader.digest();
  await Bun.sleep(500);
  const isGivenUp = CLOSED_BY_LEADER.test(follower.stderr);
  if (keeps) expect(follower.stderr).not.toMatch(CLOSED_BY_LEADER);
  await stage.converged(follower, dir, wanted, isGivenUp ? RECONNECTED_MS : CONVERGED_MS);
  await inState(follower, "live", SHARDS);
  await Bun.sleep(1_500);

  const said = follower.stderr.split("\n").filter((line) => line.includes("held up for"));
  expect(said).toHaveLength(1);
  expect(said[0]).not.toContain("shard");
  const told = Number(/held up for (\d+) s \(stopped or starved\)/.exec(said[0] ?? "")?.[1]);
  expect(Math.abs(told - seconds)).toBeLessThanOrEqual(2);
  expect(follower.stderr).not.toMatch(/no heartbeat|stalled/);
  const after = (await statusOf(dir)).document;
  if (!isGivenUp) expect(linksOf(after)).toEqual(linksOf(before));
  expect((await follower.stop()).status).toBe(0);
}

function linksOf({ shards }: StatusDocument): unknown {
  return shards.map(({ reconnects, connections }) => ({ reconnects, connections }));
}
