// What a follower shows, written to memory in simulated time.

import { FollowDisplay, type FollowDisplayOptions } from "../../src/cli/render/follow-display.ts";
import { glyphsOf } from "../../src/cli/surface/glyphs.ts";
import { createMessages } from "../../src/cli/surface/messages.ts";
import { createOutput } from "../../src/cli/surface/output.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import { withoutTimes } from "../support/line-times.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemorySink } from "./fake-machine.ts";

export interface DisplayStage {
  readonly clock: ManualClock;
  readonly display: FollowDisplay;
  readonly stderr: MemorySink;
  /** The objects of stdout. */
  written(): unknown[];
  /** The lines of stderr, without their times. */
  said(): string[];
}

export function displayStage(
  options: Partial<FollowDisplayOptions> & { readonly json: boolean; readonly clock?: ManualClock },
): DisplayStage {
  const { json, clock = new ManualClock() } = options;
  const stdout = new MemorySink();
  const stderr = new MemorySink();
  const palette = createPalette(false);
  const watchTerminal = () => () => {};
  const out = createOutput({ sink: stdout, palette, styled: false, display: null, watchTerminal });
  const { pace = null, isVerbose = false } = options;
  const messages = createMessages({
    ...{ sink: stderr, palette, styled: false, display: null, json, journal: false, confirm: null },
    ...{ format: "text", level: isVerbose ? "debug" : "info", pace },
    glyphs: glyphsOf({ LANG: "C.UTF-8" }),
    nowMs: () => clock.nowMs(),
    wallMs: () => clock.wallMs(),
  });
  const display = new FollowDisplay(
    { messages, json, out, clock },
    {
      ...{ leader: "db:7400", dir: "replica", once: false, sync: "group", pace, isVerbose },
      shardCount: () => 4,
      ...options,
    },
  );
  const written = () => {
    out.flush();
    return stdout.lines.map((line) => JSON.parse(line));
  };
  const said = () => withoutTimes(stderr.text).split("\n").slice(0, -1);
  return { clock, display, stderr, written, said };
}
