// Lines that are redrawn in place, as a person sees them: other lines above them, keys that are typed meanwhile, a terminal that
// changes, a shell in between.

import { describe, expect, test } from "bun:test";
import { createDisplay, type TerminalEvents } from "../../src/cli/surface/display.ts";
import { createOutput } from "../../src/cli/surface/output.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import { Screen } from "../support/screen.ts";
import { MemorySink } from "./fake-machine.ts";

/** A sink that shows. */
class ScreenSink extends MemorySink {
  readonly screen: Screen;
  writes: string[] = [];

  constructor(rows: number) {
    super(true);
    this.screen = new Screen(40, rows);
    this.rowCount = rows;
  }

  override write(text: string): string | null {
    if (text !== "") this.writes.push(text);
    this.screen.write(text);
    return super.write(text);
  }
}

function stageOf(rows = 10) {
  const sink = new ScreenSink(rows);
  const watching: TerminalEvents[] = [];
  const display = createDisplay(sink, (events) => {
    watching.push(events);
    return () => void watching.splice(watching.indexOf(events), 1);
  });
  const draw = (...lines: string[]) => display.draw(() => lines);
  return { sink, screen: sink.screen, display, draw, watching };
}

describe("lines that are redrawn in place", () => {
  test("take each other's place, each time with one write, and are gone in the end", () => {
    const { sink, screen, display, draw } = stageOf();
    screen.write("before\r\n");
    draw("a long line", "b", "c");
    expect([screen.text, screen.cursorShows]).toEqual(["before\na long line\nb\nc", false]);
    draw("short", "bb");
    expect(screen.text).toBe("before\nshort\nbb");
    draw("1", "2", "3", "4");
    expect(screen.text).toBe("before\n1\n2\n3\n4");
    expect(sink.writes).toHaveLength(3);
    // Nothing is wiped before it is written over: nothing blinks.
    expect(sink.writes[1]?.indexOf("\x1b[J")).toBeGreaterThan(sink.writes[1]?.indexOf("bb") ?? 0);
    display.end();
    expect([screen.text, screen.cursorShows, screen.row]).toEqual(["before", true, 1]);
    display.end();
    expect(sink.writes).toHaveLength(4);
  });

  test("stay below what is written meanwhile, at the bottom of the screen too", () => {
    for (const rows of [10, 4]) {
      const { sink, screen, display, draw } = stageOf(rows);
      screen.write("before\r\n");
      draw("working", "on it");
      const writes = sink.writes.length;
      const palette = createPalette(false);
      const options = { sink, palette, styled: false, display, watchTerminal: () => () => {} };
      createOutput(options).line("one");
      createOutput(options).line("two");
      expect(sink.writes.length - writes).toBe(2);
      const all = [...screen.scrolled, screen.text].join("\n");
      expect(all).toBe("before\none\ntwo\nworking\non it");
      draw("working", "still");
      expect([...screen.scrolled, screen.text].join("\n")).toEndWith("two\nworking\nstill");
    }
  });

  test("are not moved by keys that are typed, Enter neither", () => {
    for (const rows of [10, 4]) {
      const { screen, display, draw } = stageOf(rows);
      screen.write("1\r\n2\r\n");
      draw("working", "on it");
      screen.type("abc\n");
      draw("working", "still");
      expect(screen.text).toBe("1\n2\nworking\nstill");
      screen.type("\n");
      display.end();
      expect([screen.text, screen.row]).toEqual(["1\n2", 2]);
    }
  });

  test("write nothing at all when nothing was drawn", () => {
    const { sink, display } = stageOf();
    display.around("a line\n", sink);
    display.end();
    expect(sink.text).toBe("a line\n");
  });

  test("are drawn anew, as they are now, from where the cursor stands when the terminal has changed", () => {
    const { screen, display, watching } = stageOf();
    screen.write("before\r\n");
    let wide = "a line that is as wide as it was";
    display.draw(() => [wide, "b"]);
    // The terminal breaks what does not fit any more; the cursor stays with the first line.
    wide = "narrow";
    watching[0]?.changed();
    expect(screen.text).toBe("before\nnarrow\nb");
    display.end();
    expect(watching).toEqual([]);
  });

  test("make room for a shell while the program is stopped, and are drawn below what it wrote", () => {
    const { screen, draw, watching } = stageOf();
    draw("working", "on it");
    screen.type("^Z");
    watching[0]?.suspends();
    expect([screen.text, screen.cursorShows]).toEqual(["", true]);
    screen.type("[1]+ Stopped\n$ fg\n");
    watching[0]?.changed();
    expect([screen.text, screen.cursorShows]).toEqual([
      "[1]+ Stopped\n$ fg\nworking\non it",
      false,
    ]);
    draw("done");
    expect(screen.text).toBe("[1]+ Stopped\n$ fg\ndone");
  });
});
