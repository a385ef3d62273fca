// As held-up.test.ts, for so long that every leader's patience is over.

import { describe } from "bun:test";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { heldUpTest } from "./held-up.ts";

describe.if(oracleAvailable())("a follower that was stopped for two minutes", () => {
  for (const version of ORACLE_VERSIONS) heldUpTest(version, 120, { idle: true, keeps: false });
});
