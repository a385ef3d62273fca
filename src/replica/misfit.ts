// Why a directory cannot follow a leader: the first ShardInfo is held against what is here. Pure.

import type { PlainError } from "../errors.ts";
import { type Geometry, geometryDifferences } from "../store/geometry.ts";

/** Why `dir` cannot follow a leader of this geometry, or null; `here` is null while nothing is known of it. */
export function geometryTrouble(
  dir: string,
  leader: string,
  here: Geometry | null,
  there: Geometry,
): PlainError | null {
  if (here === null) return null;
  const differences = geometryDifferences(here, there, "here", "at the leader");
  if (differences.length === 0) return null;
  return {
    code: "incompatible",
    message: `${dir} is not a replica of ${leader}: ${differences.join("; ")}`,
    hint: "follow into another directory, or check the leader's address",
  };
}
