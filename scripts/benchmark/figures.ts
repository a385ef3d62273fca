// Medians, spreads and ratios of a benchmark, and how rounds are interleaved.

/** The middle of the values; the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** `0.41 [0.38-0.52]`; Infinity is `never`. */
export function spread(values: readonly number[], digits: number): string {
  const show = (value: number) => (value === Infinity ? "never" : value.toFixed(digits));
  return `${show(median(values))} [${show(Math.min(...values))}-${show(Math.max(...values))}]`;
}

/**
 * Runs every contestant once a round, in an order that rotates, so that a drifting machine favours nobody.
 */
export async function interleaved<Name extends string, Result>(
  names: readonly Name[],
  rounds: number,
  run: (name: Name) => Promise<Result>,
): Promise<Map<Name, Result[]>> {
  const results = new Map<Name, Result[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < names.length; index++) {
      const name = names[(index + round) % names.length] as Name;
      results.get(name)?.push(await run(name));
    }
  }
  return results;
}

/** A row of the table of goals. */
export interface Row {
  readonly what: string;
  /** As it is shown: `12.8 times`. */
  readonly measured: string;
  readonly goal: string;
  /** Measured divided by goal, above 1 is better; null where there is no single figure. */
  readonly ofGoal: number | null;
  readonly detail: string;
}

/** A row whose figure should be at least the goal. */
export function atLeast(
  what: string,
  figure: number,
  goal: number,
  unit: string,
  detail: string,
): Row {
  return {
    what,
    measured: `${figure.toFixed(figure < 3 ? 2 : 1)} ${unit}`,
    goal: `>= ${goal} ${unit}`,
    ofGoal: figure / goal,
    detail,
  };
}

/** A row whose figure should be at most the goal. */
export function atMost(
  what: string,
  figure: number,
  goal: number,
  unit: string,
  detail: string,
): Row {
  return {
    what,
    measured: `${figure.toFixed(figure < 3 ? 2 : 1)} ${unit}`,
    goal: `<= ${goal} ${unit}`,
    ofGoal: goal / figure,
    detail,
  };
}
