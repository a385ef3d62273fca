// The step that brings a shard back whose file, or all of whose slots, are gone: filled from the source under a temporary
// name, then renamed. Pure. Used by repair/plan/plan.ts.

import { directoryModeFor } from "../../../store/ownership.ts";
import type { ShardLook } from "../../look/database-look.ts";
import {
  type Change,
  type FileAttributes,
  parentOf,
  type Place,
  ROOT,
  type Step,
} from "../changes.ts";

/** Creates the shard's directory where it is missing too; what is left of an old file is saved in the journal. */
export function createStep(
  look: ShardLook,
  why: string,
  sourceName: string,
  attributes: FileAttributes,
): Step {
  const { shard } = look;
  const place: Place = { kind: "new-data", shard };
  const directory = parentOf(place);
  const changes: Change[] = [];
  if (look.directory.facts === null) {
    const mode = directoryModeFor(attributes.mode);
    changes.push({ kind: "make-directory", place: directory, attributes: { ...attributes, mode } });
    changes.push({ kind: "sync-directory", place: ROOT });
  }
  changes.push({ kind: "create", place, attributes });
  changes.push({ kind: "fill", shard });
  changes.push({ kind: "sync", place });
  if (look.data.facts !== null) {
    changes.push({ kind: "remove", place: { kind: "data", shard }, bytes: look.fileBytes });
  }
  changes.push({ kind: "rename-new", shard });
  changes.push({ kind: "sync-directory", place: directory });
  const message = `${why}: write the shard as ${sourceName} has it`;
  return { kind: "shard-create", shard, slot: null, message, changes };
}
