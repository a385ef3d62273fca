// The follower's own pause, with real leaders of every generation: SIGSTOP for 20 s, as Ctrl-Z, a frozen container or a paused
// machine has it. What the leader sent meanwhile lies in our own socket, so no connection is given up for it.

import { describe } from "bun:test";
import { ORACLE_VERSIONS, oracleAvailable } from "../support/oracle.ts";
import { heldUpTest } from "./held-up.ts";

describe.if(oracleAvailable())("a follower that was stopped for 20 s", () => {
  for (const version of ORACLE_VERSIONS) {
    heldUpTest(version, 20, { idle: true, keeps: true });
    heldUpTest(version, 20, { idle: false, keeps: false });
  }
});
