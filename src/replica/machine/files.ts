// The shard's files: asked for when the first ShardInfo fits, made once, closed when the shard is over. `complete` is false from the
// moment they are made, so that a copy that was broken off is never taken for a whole one. Pure.

import type { PlainError } from "../../errors.ts";
import type { Action } from "./actions.ts";
import { closeFiles, finish } from "./ends.ts";
import { beginScan } from "./main.ts";
import type { ShardState } from "./types.ts";

/** The answer to `makeFiles`; its connection may have ended meanwhile. */
export function filesMade(
  state: ShardState,
  error: PlainError | null,
  nowMs: number,
  actions: Action[],
): ShardState {
  if (state.files !== "asked") return state;
  if (error !== null) return failed({ ...state, files: "none" }, error, true, nowMs, actions);
  const next: ShardState = { ...state, files: "open", complete: false };
  if (next.main.at === "over") return closeFiles(next, actions);
  return next.main.at === "making" ? beginScan(next, next.main, actions) : next;
}

/** The answer to `closeFiles` and `abandonFiles`. */
export function filesClosed(state: ShardState, error: PlainError | null): ShardState {
  if (state.files !== "closing" || state.ending === null) return state;
  const { ending } = state;
  return { ...state, files: "none", ending: { ...ending, error: ending.error ?? error } };
}

/** What the disk did cannot get better by itself. A shard that is over already keeps its first error. */
export function failed(
  state: ShardState,
  error: PlainError,
  abandons: boolean,
  nowMs: number,
  actions: Action[],
): ShardState {
  if (state.ending === null) return finish(state, { error, abandons }, nowMs, actions);
  const first = state.ending.error ?? error;
  return { ...state, ending: { error: first, abandons: true } };
}
