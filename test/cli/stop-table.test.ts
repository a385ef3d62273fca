// A follower of one shard is gone within 5 s of SIGINT, SIGTERM or SIGHUP in every phase, in good order. Loading is in
// stop-loading.test.ts, a disk that does not answer in hanging-disk.test.ts.

import { afterAll, describe, test } from "bun:test";
import { STOP_PHASES } from "../support/stop-phases.ts";
import { STOP_SIGNALS, StopTable } from "../support/stop-table.ts";
import { TempRoot } from "../support/temp.ts";

const LIMIT_MS = 60_000;

const temp = new TempRoot("stop-table");
afterAll(() => temp[Symbol.dispose]());
const table = new StopTable(temp, 1);

describe.each(STOP_SIGNALS)("%s to a follower", (signal) => {
  for (const phase of STOP_PHASES) {
    test(`${phase.name}: gone in good order`, () => table.expectStops(phase, signal), LIMIT_MS);
  }
});
