// The shard's files: asked for when the first ShardInfo fits, made once, closed when the shard is over. `complete` is
// false from the moment they are made, so that a copy that was broken off is never taken for a whole one. Pure.

import type { PlainError } from "../../errors.ts";
import type { Turn } from "./actions.ts";
import { closeFiles, finish } from "./ends.ts";
import { beginScan } from "./main.ts";
import type { ShardState } from "./types.ts";

/** The answer to `makeFiles`; its connection may have ended meanwhile. */
export function filesMade(state: ShardState, error: PlainError | null, turn: Turn): ShardState {
  if (state.files !== "asked") return state;
  if (error !== null) return diskFailed({ ...state, files: "none" }, error, turn);
  const next: ShardState = { ...state, files: "open", complete: false };
  if (next.main.at === "over") return closeFiles(next, turn);
  return next.main.at === "making" ? beginScan(next, next.main, turn) : next;
}

/** The answer to `closeFiles` and `abandonFiles`. */
export function filesClosed(state: ShardState, error: PlainError | null): ShardState {
  const { ending, files } = state;
  if (files !== "closing" || ending === null) return state;
  return { ...state, files: "none", ending: { ...ending, error: ending.error ?? error } };
}

/** What the disk did cannot get better by itself. A shard that is over already keeps its first error. */
export function diskFailed(state: ShardState, error: PlainError, turn: Turn): ShardState {
  const { ending } = state;
  if (ending === null) return finish(state, { error, abandons: true }, turn);
  return { ...state, ending: { error: ending.error ?? error, abandons: true } };
}
