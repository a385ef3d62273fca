// The drill: a leader of each generation, which now and then comes back as one of another, a follower, and faults one after the
// other by a seed. At each rest what status, its exit status, /health, /ready and verify say is held against the truth in the files.

import { describe, expect, test } from "bun:test";
import { Drill } from "../support/drill.ts";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { Turnstile } from "../support/turnstile.ts";

const LIMIT_MS = 900_000;
const FAULTS = 12;
const SEEDS = 4;
const FIRST_SEED = Number(process.env["ARMDB_TEST_SEED"] ?? 1);
const DRILLS_AT_ONCE = 3;

const RUNS = ORACLE_VERSIONS.flatMap((version) =>
  Array.from({ length: SEEDS }, (_, index) => ({ version, seed: FIRST_SEED + index })),
);

describe.if(oracleAvailable())("a drill", () => {
  const turnstile = new Turnstile(DRILLS_AT_ONCE);

  test.concurrent.each(RUNS)(
    "of $version, seed $seed: nothing is said that is better than the truth",
    ({ version, seed }) =>
      turnstile.pass(async () => {
        // Every other one scans slowly, so that faults meet it in the middle.
        const args = seed % 2 === 0 ? ["--limit-rate", "60KB"] : [];
        await using drill = await Drill.start({
          ...{ version, seed, args, versions: ORACLE_VERSIONS },
          ...{ faultMsMax: 5_000, convergedMs: 90_000 },
        });
        for (let fault = 0; fault < FAULTS; fault++) {
          await drill.fault();
          if (fault % 2 === 1) await drill.rest();
        }
        await drill.end();
        expect(drill.looks).toBeGreaterThan(FAULTS);
      }),
    LIMIT_MS,
  );
});
