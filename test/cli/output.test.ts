// stdout: bursts, closed pipes, full disks, hostile text.

import { describe, expect, test } from "bun:test";
import { createOutput } from "../../src/cli/surface/output.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import { MemorySink } from "./fake-machine.ts";

function outputOf(sink: MemorySink, styled = false) {
  return createOutput({
    sink,
    palette: createPalette(styled),
    styled,
    display: null,
    watchTerminal: () => () => {},
  });
}

describe("an Output", () => {
  test("writes a burst in one go, at the latest when the burst is over", async () => {
    const sink = new MemorySink();
    const out = outputOf(sink);
    out.line("one");
    out.line("two");
    expect(sink.text).toBe("");
    await Promise.resolve();
    expect(sink.text).toBe("one\ntwo\n");
  });

  test("does not hold much back in a long burst", () => {
    const sink = new MemorySink();
    const out = outputOf(sink);
    for (let index = 0; index < 100_000; index++) out.line("0123456789");
    expect(sink.text.length).toBeGreaterThan(1_000_000);
    out.flush();
    expect(sink.text.length).toBe(1_100_000);
  });

  test("writes each line at once to a terminal", () => {
    const sink = new MemorySink(true);
    outputOf(sink).line("one");
    expect(sink.text).toBe("one\n");
  });

  test("says closed after the reader went away, and is no failure", () => {
    const sink = new MemorySink();
    const out = outputOf(sink);
    sink.failure = "EPIPE";
    out.line("one");
    out.flush();
    expect(out.closed).toBe(true);
    expect(out.failure).toBeNull();
    out.line("two");
    out.flush();
    expect(sink.text).toBe("");
  });

  test("keeps any other failure for the end of the command", () => {
    const sink = new MemorySink();
    const out = outputOf(sink);
    sink.failure = "ENOSPC";
    out.line("one");
    out.flush();
    expect(out.failure).toBe("ENOSPC");
    expect(out.closed).toBe(true);
  });

  test("writes bigint as text and escapes what a terminal acts upon", () => {
    const sink = new MemorySink();
    const out = outputOf(sink);
    out.json({ total: 2n ** 64n - 1n, name: "\x1b[2J\x9b\u202e\x7f\ud800" });
    out.flush();
    expect(sink.text).toBe(
      '{"total":"18446744073709551615","name":"\\u001b[2J\\u009b\\u202e\\u007f\\ud800"}\n',
    );
  });

  test("lets colours through only where they are its own", () => {
    const plain = new MemorySink(true);
    outputOf(plain).line("\x1b[31mx\x1b[2J");
    expect(plain.text).toBe("\\x1b[31mx\\x1b[2J\n");
    const styled = new MemorySink(true);
    outputOf(styled, true).line("\x1b[31mx\x1b[2J");
    expect(styled.text).toBe("\x1b[31mx\\x1b[2J\n");
  });
});
