// The other side of a comparison, and whether it is the same database at all. Used by compare/compare.ts.

import { shellWord } from "../../shell-words.ts";
import { ArmdbError } from "../../errors.ts";
import type { SlotLayout } from "../../format/slot.ts";
import type { Address } from "../../io/address.ts";
import { type Geometry, geometryDifferences } from "../../store/geometry.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import type { DatabaseDirectory } from "../look/database-look.ts";
import { otherGeometry } from "../leader/errors.ts";

/** The other side. */
export type CompareTarget =
  | { readonly kind: "leader"; readonly address: Address; readonly protocol: ProtocolVersion }
  | { readonly kind: "directory"; readonly directory: DatabaseDirectory };

/** Key and value length of DIR; without them nothing can be compared (exit 5). */
export function knownLayout(directory: DatabaseDirectory): SlotLayout {
  if (directory.layout !== null) return directory.layout;
  throw new ArmdbError(
    "unknown",
    `Cannot compare "${directory.path}": none of its headers says how long keys and values are`,
    { path: directory.path, hint: `armdb verify ${shellWord(directory.path)}` },
  );
}

/** Refuses another database before anything is read of it, and a shard that is not there. */
export function checkTarget(
  directory: DatabaseDirectory,
  target: CompareTarget,
  shard: number | null,
  layout: SlotLayout,
): void {
  const { shardCount } = directory.routing;
  if (shard !== null && shard >= shardCount) {
    throw new ArmdbError(
      "usage",
      `There is no shard ${shard} in "${directory.path}", it has ${shardCount}`,
      { path: directory.path, hint: `--shard 0 to ${shardCount - 1}` },
    );
  }
  if (target.kind === "leader") return;
  refuseOtherGeometry(
    directory,
    layout,
    {
      ...knownLayout(target.directory),
      ...target.directory.routing,
    },
    `"${target.directory.path}"`,
  );
}

/** Throws incompatible when the other side is another database. What DIR does not know is not held against it. */
export function refuseOtherGeometry(
  directory: DatabaseDirectory,
  layout: SlotLayout,
  there: Geometry,
  thereName: string,
): void {
  const { shardCount, bitsKnown, shardPrefixBits } = directory.routing;
  const here: Geometry = {
    shardCount,
    shardPrefixBits: bitsKnown ? shardPrefixBits : there.shardPrefixBits,
    keyLen: layout.keyLen,
    valueLen: layout.valueLen,
  };
  const differences = geometryDifferences(here, there, "here", "there");
  if (differences.length > 0) throw otherGeometry(thereName, differences);
}
