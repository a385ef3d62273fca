// stderr: levels, formats, the journal.

import { describe, expect, test } from "bun:test";
import { glyphsOf } from "../../src/cli/surface/glyphs.ts";
import { createMessages, type MessagesOptions } from "../../src/cli/surface/messages.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import { MemorySink } from "./fake-machine.ts";

function messagesOf(sink: MemorySink, more: Partial<MessagesOptions> = {}) {
  return createMessages({
    sink,
    palette: createPalette(false),
    styled: false,
    display: null,
    level: "info",
    format: "text",
    json: false,
    journal: false,
    glyphs: glyphsOf({ LANG: "C.UTF-8" }),
    pace: null,
    confirm: null,
    nowMs: () => 0,
    wallMs: () => 1_800_000_000_000,
    ...more,
  });
}

function sayAll(messages: ReturnType<typeof messagesOf>): void {
  messages.debug("d");
  messages.info("i");
  messages.warn("w");
  messages.error("e");
}

describe("Messages", () => {
  test.each([
    ["debug", ["d", "i", "warning: w", "error: e"]],
    ["info", ["i", "warning: w", "error: e"]],
    ["warn", ["warning: w", "error: e"]],
    ["error", ["error: e"]],
  ] as const)("at level %s say %j", (level, lines) => {
    const sink = new MemorySink();
    sayAll(messagesOf(sink, { level }));
    expect(sink.lines).toEqual(lines.map((line) => `2027-01-15T08:00:00Z ${line}`));
  });

  test("have no time on a terminal, and each of several lines has it elsewhere", () => {
    const terminal = new MemorySink(true);
    messagesOf(terminal).warn("w");
    expect(terminal.text).toBe("warning: w\n");
    const sink = new MemorySink();
    const messages = messagesOf(sink);
    messages.raw("armdb: one\ntwo");
    messages.page("a line of help");
    messages.object({ type: "error" });
    expect(sink.lines).toEqual([
      "2027-01-15T08:00:00Z armdb: one",
      "2027-01-15T08:00:00Z two",
      "a line of help",
      '{"type":"error"}',
    ]);
  });

  test("as JSON are one object a line with time and level", () => {
    const sink = new MemorySink();
    sayAll(messagesOf(sink, { format: "json", level: "warn" }));
    expect(sink.lines.map((line) => JSON.parse(line))).toEqual([
      { schema: 1, type: "log", ms: 1_800_000_000_000, level: "warn", message: "w" },
      { schema: 1, type: "log", ms: 1_800_000_000_000, level: "error", message: "e" },
    ]);
  });

  test("to the journal begin with syslog's level, and not with a time of ours", () => {
    const sink = new MemorySink();
    sayAll(messagesOf(sink, { journal: true, level: "debug" }));
    expect(sink.lines).toEqual(["<7>d", "<6>i", "<4>warning: w", "<3>error: e"]);
  });

  test("never let foreign text move the cursor", () => {
    const sink = new MemorySink(true);
    const messages = messagesOf(sink, { styled: true, palette: createPalette(true) });
    messages.warn("leader says \x1b[2J\x1b]0;x\x07\r\u202e");
    expect(sink.text).toBe(
      "\x1b[33mwarning:\x1b[39m leader says \\x1b[2J\\x1b]0;x\\x07\\r\\u202e\n",
    );
  });

  test("go on when stderr is gone", () => {
    const sink = new MemorySink();
    sink.failure = "EPIPE";
    expect(() => sayAll(messagesOf(sink))).not.toThrow();
  });
});
