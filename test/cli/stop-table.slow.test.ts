// The stop table of a follower of 255 shards: gone within 5 s in every phase, in good order.

import { afterAll, describe, test } from "bun:test";
import { STOP_PHASES } from "../support/stop-phases.ts";
import { STOP_SIGNALS, StopTable } from "../support/stop-table.ts";
import { TempRoot } from "../support/temp.ts";

const LIMIT_MS = 180_000;

const temp = new TempRoot("stop-table");
afterAll(() => temp[Symbol.dispose]());
const table = new StopTable(temp, 255);

describe("a follower of 255 shards", () => {
  for (const [index, phase] of STOP_PHASES.entries()) {
    const signal = STOP_SIGNALS[index % STOP_SIGNALS.length] ?? "SIGTERM";
    test(
      `${phase.name}, ${signal}: gone in good order`,
      () => table.expectStops(phase, signal),
      LIMIT_MS,
    );
  }
});
