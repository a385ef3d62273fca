// What the end-to-end tests of src/status ask a running follower: its status, its HTTP side, its metrics.

import type { StatusDocument } from "../../src/status/status-types.ts";
import { type Armdb, runArmdb } from "../support/armdb.ts";
import { eventually as eventuallyWithin } from "../support/follow-stage.ts";

/** For one test with real leaders. */
export const LIMIT_MS = 240_000;
/** A leader that holds still is noticed after 15 s; a machine with other work may take its time. */
const CHANGE_LIMIT_MS = 60_000;
/** Any free port. */
export const HTTP = ["--http", "0"];

export async function statusOf(
  dir: string,
): Promise<{ status: number | null; document: StatusDocument }> {
  const run = await runArmdb(["status", dir, "--json"]);
  return { status: run.status, document: JSON.parse(run.stdout) as StatusDocument };
}

export async function addressOf(follower: Armdb): Promise<string> {
  return `http://${String((await follower.line({ type: "http" }))["at"])}`;
}

export async function get(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(url, { keepalive: false });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

/** Values of /metrics by name and labels. */
export async function metricsOf(address: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${address}/metrics`, { keepalive: false })).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space), Number(line.slice(space + 1).replace("+Inf", "Infinity"))];
    }),
  );
}

/** The sum of a series over all shards. */
export function sumOf(values: ReadonlyMap<string, number>, name: string): number {
  return [...values].reduce(
    (sum, [key, value]) => (key.startsWith(`${name}{`) ? sum + value : sum),
    0,
  );
}

/** Looks again and again until the value passes; returns the last value seen either way. */
export function eventually<T>(
  look: () => T | Promise<T>,
  passes: (value: T) => boolean,
): Promise<T> {
  return eventuallyWithin(look, passes, CHANGE_LIMIT_MS);
}
