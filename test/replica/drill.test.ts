// The drill, in a short form: a leader of each generation, a follower, and faults one after the other for some seconds. Whatever
// happened, the follower never says more than is so, and once its leader rests it is equal soon. The long one: drill.slow.test.ts.

import { describe, expect, test } from "bun:test";
import { Drill } from "../support/drill.ts";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";

const LIMIT_MS = 120_000;
/** After this no further fault begins. */
const FAULTS_MS = 6_000;
const SEED = Number(process.env["ARMDB_TEST_SEED"] ?? 7);

describe.if(oracleAvailable())("a drill of some seconds", () => {
  test.concurrent.each(ORACLE_VERSIONS)(
    `%s, seed ${SEED}: nothing is said that is better than the truth`,
    async (version) => {
      const startedMs = performance.now();
      await using drill = await Drill.start({
        ...{ version, seed: SEED, faultMsMax: 700, convergedMs: 60_000 },
      });
      while (performance.now() - startedMs < FAULTS_MS) {
        await drill.fault();
        await drill.fault();
        await drill.rest();
      }
      await drill.end();
      expect(drill.looks).toBeGreaterThan(1);
    },
    LIMIT_MS,
  );
});
