// Temporary files of ours that a kill or a second Ctrl-C left behind (store/replace-file.ts makes them). Used by a follower's start,
// under the directory's lock: nobody else writes there, so none of them is in use.

import { join } from "node:path";
import { CURSOR_TEMP_FILE } from "../format/cursor.ts";
import { shardDirectory } from "../format/routing.ts";
import { SIDECAR_TEMP_FILE } from "../format/versions-sidecar.ts";
import type { Disk } from "../io/disk.ts";
import { STATE_TEMP_FILE } from "./state-file.ts";

/** Removes them; whatever else lies at such a name stays. */
export function removeOwnTemps(disk: Disk, dir: string, shardCount: number): void {
  const paths = [join(dir, STATE_TEMP_FILE)];
  for (let shard = 0; shard < shardCount; shard++) {
    const directory = join(dir, shardDirectory(shard));
    paths.push(join(directory, SIDECAR_TEMP_FILE), join(directory, CURSOR_TEMP_FILE));
  }
  for (const path of paths) if (disk.facts(path)?.kind === "file") disk.remove(path);
}
