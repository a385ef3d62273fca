// Signals: what the first and the second do, which are heard, and a hangup that was ignored before the start.

import { describe, expect, test } from "bun:test";
import { createStopControl, ignoresHangup } from "../../src/cli/signals.ts";
import { signalStatus } from "../../src/cli/command.ts";

describe("a stop control", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("asks at the first %s and ends at the second with %i", (name, status) => {
    const said: string[] = [];
    const ended: number[] = [];
    const control = createStopControl({
      announce: (text) => void said.push(text),
      endNow: (code) => void ended.push(code),
    });
    control.raise("SIGTERM");
    expect([control.signal.aborted, control.signal.reason]).toEqual([true, "SIGTERM"]);
    expect([said, ended]).toEqual([["SIGTERM"], []]);
    control.raise(name);
    expect([said, ended]).toEqual([["SIGTERM"], [status]]);
    expect(signalStatus(name)).toBe(status);
  });
});

test.each([
  ["SigIgn:\t0000000000000001\n", true],
  ["Name:\tarmdb\nSigIgn:\t0000000000001003\n", true],
  ["SigIgn:\t0000000000001000\n", false],
  ["Name:\tarmdb\n", false],
  [null, false],
])("%j ignores a hangup: %p", (status, ignores) => {
  expect(ignoresHangup(status)).toBe(ignores);
});
