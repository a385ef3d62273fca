// stdout: bursts, closed pipes, full disks, hostile text.

import { describe, expect, test } from "bun:test";
import { createDisplay } from "../../src/cli/surface/display.ts";
import { createOutput } from "../../src/cli/surface/output.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import { MemorySink } from "./fake-machine.ts";

function outputOf(sink: MemorySink, styled = false) {
  return createOutput({ sink, palette: createPalette(styled), styled, display: null });
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

  test("makes the display step aside", () => {
    const sink = new MemorySink(true);
    const display = createDisplay(sink);
    display.draw(["working"]);
    sink.text = "";
    const palette = createPalette(false);
    createOutput({ sink, palette, styled: false, display }).line("a result");
    expect(sink.text).toBe("\x1b[1A\r\x1b[Ja result\n\x1b[?25l\x1b[Jworking\n");
  });
});

describe("a Display", () => {
  test("draws over what it drew and gives the cursor back", () => {
    const sink = new MemorySink(true);
    const display = createDisplay(sink);
    display.draw(["a", "b"]);
    display.draw(["c"]);
    display.end();
    expect(sink.text).toBe(
      "\x1b[?25l\x1b[Ja\nb\n\x1b[?25l\x1b[2A\r\x1b[Jc\n\x1b[1A\r\x1b[J\x1b[?25h",
    );
  });

  test("writes nothing at all when nothing was drawn", () => {
    const sink = new MemorySink(true);
    const display = createDisplay(sink);
    display.hide();
    display.show();
    display.end();
    expect(sink.text).toBe("");
  });
});
