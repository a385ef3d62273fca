// The rows about catching up: against the crate's follower and the null follower, by shards, sizes and round trips.

import { catchUp, type Contestant, prepareLoad, type Run } from "./contestants.ts";
import { atLeast, atMost, interleaved, median, type Row, spread } from "./figures.ts";
import type { Measured } from "./results.ts";

export interface Scale {
  readonly rounds: number;
  readonly slots: number;
  /** Of other sizes. */
  readonly sizeSlots: number;
  /** For values of 1000 bytes; fewer, and the start of the threads decides. */
  readonly largeSlots: number;
  /** Next to the null follower. */
  readonly nullSlots: number;
}

interface Case {
  readonly key: number;
  readonly value: number;
  readonly shards: number;
  readonly slots: number;
  readonly names: readonly Contestant[];
}

type Runs = ReadonlyMap<Contestant, readonly Run[]>;

/** Runs of one case over a leader of its own. */
async function measure(root: string, rounds: number, wanted: Case): Promise<Runs> {
  const { key, value, shards, slots } = wanted;
  await using load = await prepareLoad(root, key, value, shards, slots);
  return await interleaved(wanted.names, rounds, (name) => catchUp(load, name, root));
}

function times(runs: Runs, name: Contestant): readonly number[] {
  return (runs.get(name) ?? []).map((run) => run.ms);
}

/** How many times as fast `fast` is as `slow`, by medians. */
function ratio(runs: Runs, fast: Contestant, slow: Contestant): number {
  return median(times(runs, slow)) / median(times(runs, fast));
}

function detailOf(runs: Runs): string {
  return [...runs.keys()].map((name) => `${name} ${spread(times(runs, name), 0)} ms`).join(", ");
}

/** 8x64 over 1, 2, 4 shards, also with the default sync. */
export async function shardRows(root: string, scale: Scale): Promise<Measured> {
  const goals = [
    [1, 12],
    [2, 9.5],
    [4, 8],
  ] as const;
  const rows: Row[] = [];
  for (const [shards, goal] of goals) {
    const names: Contestant[] = ["crate", "ours", "ours, --sync group"];
    const { slots } = scale;
    const runs = await measure(root, scale.rounds, { key: 8, value: 64, shards, slots, names });
    const detail = detailOf(runs);
    const title = `catch-up, 8x64, ${shards} shard${shards === 1 ? "" : "s"}`;
    const crates = `${title}, against the crate's follower`;
    const grouped = ratio(runs, "ours, --sync group", "ours");
    rows.push(
      atLeast(crates, ratio(runs, "ours", "crate"), goal, "times", detail),
      atLeast(`${title}, --sync group instead of off`, grouped, 0.7, "of it", detail),
    );
  }
  return { rows };
}

/**
 * What is left of the leader's own speed, and the re-scan. Both take some tenths of a second, of which finding out the
 * leader's protocol is one in a new directory: so there are more slots than next to the crate's follower.
 */
export async function nullRows(root: string, scale: Scale): Promise<Measured> {
  const names: Contestant[] = ["null", "ours", "ours, again"];
  const slots = scale.nullSlots;
  const runs = await measure(root, scale.rounds, { key: 8, value: 64, shards: 2, slots, names });
  const detail = detailOf(runs);
  const title = `8x64, 2 shards, ${slots / 1e6} M slots`;
  const nulls = `catch-up, ${title}, against the null follower`;
  const again = `re-scan of what is there, ${title}, against the catch-up`;
  const rows = [
    atLeast(nulls, ratio(runs, "ours", "null"), 0.55, "of it", detail),
    atLeast(again, ratio(runs, "ours, again", "ours"), 1, "of it", detail),
  ];
  return { rows };
}

/** Other sizes over 2 shards. */
export async function sizeRows(root: string, scale: Scale): Promise<Measured> {
  const cases = [
    [4, 3, scale.sizeSlots, 13],
    [16, 100, scale.sizeSlots, 20],
    [32, 1000, scale.largeSlots, 5],
  ] as const;
  const rows: Row[] = [];
  for (const [key, value, slots, goal] of cases) {
    const names: Contestant[] = ["crate", "ours"];
    const runs = await measure(root, scale.rounds, {
      key,
      value,
      shards: 2,
      slots,
      names,
    });
    const what = `catch-up, ${key}x${value}, 2 shards, against the crate's follower`;
    rows.push(atLeast(what, ratio(runs, "ours", "crate"), goal, "times", detailOf(runs)));
  }
  return { rows };
}

/** 8x64 over 2 shards through a network, by round trips that have a goal. */
export async function roundTripRows(
  root: string,
  scale: Scale,
  roundTripsMs: readonly (5 | 20)[],
): Promise<Measured> {
  const goals = { 5: 40, 20: 45 } as const;
  const rows: Row[] = [];
  const names: readonly Contestant[] = ["crate", "ours", "ours, --window 256"];
  await using load = await prepareLoad(root, 8, 64, 2, scale.slots);
  for (const roundTripMs of roundTripsMs) {
    const runOnce = (name: Contestant) => catchUp(load, name, root, roundTripMs);
    const runs = await interleaved(names, scale.rounds, runOnce);
    const what = `catch-up, 8x64, 2 shards, ${roundTripMs} ms round trip, against the crate's follower`;
    const times = ratio(runs, "ours", "crate");
    rows.push(atLeast(what, times, goals[roundTripMs], "times", detailOf(runs)));
    if (roundTripMs === 20) {
      const wide = ratio(runs, "ours, --window 256", "crate");
      rows.push(atLeast(`${what}, --window 256`, wide, 60, "times", detailOf(runs)));
    }
  }
  return { rows };
}

/** Peak memory over so many shards, of a million slots each. */
export async function memoryRows(
  root: string,
  rounds: number,
  shardCounts: readonly (2 | 8)[],
): Promise<Measured> {
  const goals = { 2: 0.6, 8: 0.32 } as const;
  const rows: Row[] = [];
  for (const shards of shardCounts) {
    const names: Contestant[] = ["crate", "ours"];
    const slots = shards * 1_000_000;
    const runs = await measure(root, rounds, { key: 8, value: 64, shards, slots, names });
    const peak = (name: Contestant) => (runs.get(name) ?? []).map((run) => run.rssMiB);
    const detail = `crate ${spread(peak("crate"), 0)} MiB, ours ${spread(peak("ours"), 0)} MiB`;
    const figure = median(peak("ours")) / median(peak("crate"));
    const what = `peak memory, ${shards} shards of 1 M slots, against the crate's follower`;
    rows.push(atMost(what, figure, goals[shards], "of it", detail));
  }
  return { rows, rounds };
}
