// The tables of status, walked: a document survives its reader, an older peer's is read, a stopped follower says what a running one
// saved, and docs/cli.md names every field and every series.

import { describe, expect, test } from "bun:test";
import { packMeta, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { savedShards } from "../../src/replica/saved-shards.ts";
import { asciiJson } from "../../src/status/ascii-json.ts";
import { NOT_SAVED, stoppedValues } from "../../src/status/field-rows.ts";
import { SHARD_FIELDS } from "../../src/status/fields.ts";
import { FOLLOWER_FIELDS } from "../../src/status/follower-fields.ts";
import { METRICS } from "../../src/status/metrics.ts";
import { readStatusDocument, type StatusDocument } from "../../src/status/status-types.ts";
import { readDocument } from "../docs/documents.ts";
import { documentOf, NOW_MS, snapshotOf, viewOf, WALL_MS } from "./facts.ts";

const here = packMeta(STATUS_OCCUPIED, 9);
const there = packMeta(STATUS_OCCUPIED, 8);
/** Everything of it is known. */
const SNAPSHOT = snapshotOf({
  ...{ lastError: "no connection", saveError: "no space", tornLoaded: 2, suspectSlots: 3 },
  divergedSlots: 1,
  diverged: [{ slot: 4, kind: "older", here, there }],
  ...{ healedTotal: 5, rescannedTotal: 6, replacedTotal: 7, resetsSaved: 8, reconnects: 9 },
  owed: { why: "loss", sinceMs: 5_000, heldUntilMs: WALL_MS + 60_000 },
  scan: {
    ...({ link: 4, kind: "beside", why: "loss", phase: "scanning", ms: 2_000, slot: -1 } as const),
  },
});
const FULL: StatusDocument = {
  ...documentOf([viewOf(SNAPSHOT), viewOf({ ...SNAPSHOT, shard: 1 })], {
    ...{ connectionsNextAtMs: WALL_MS + 60_000, saved: { atMs: WALL_MS, failure: "no space" } },
  }),
  holder: { pid: 7, kind: "shared" },
};

type Rows = Readonly<Record<string, { readonly stopped: unknown }>>;
const names = (fields: Rows) => Object.keys(fields);
const isSaved = (name: string) => (SHARD_FIELDS as Rows)[name]?.stopped !== NOT_SAVED;
const crossed = (document: unknown) => readStatusDocument(JSON.parse(asciiJson(document)));

describe("a status document", () => {
  test("has every field of the tables, in their order, and here a value in each but asOfMs", () => {
    expect(Object.keys(FULL)).toEqual(names(FOLLOWER_FIELDS));
    for (const shard of FULL.shards) expect(Object.keys(shard)).toEqual(names(SHARD_FIELDS));
    const values = [...Object.entries(FULL), ...Object.entries(FULL.shards[0] ?? {})];
    const empty = values.filter(([, value]) => value === null).map(([name]) => name);
    expect(empty).toEqual(["asOfMs"]);
  });

  test("is the same behind its reader, with all that can be known and with nothing", () => {
    expect(crossed(FULL)).toEqual(FULL);
    const asOf = { ...FULL, shards: FULL.shards.map((shard) => ({ ...shard, asOfMs: WALL_MS })) };
    expect(crossed(asOf)).toEqual(asOf);
    const nothing = { state: null, complete: null, holder: null, wallMs: WALL_MS };
    const blank = { shard: 0, saved: null, savedAtMs: null, wallMs: WALL_MS, complete: null };
    const shard = stoppedValues(SHARD_FIELDS, {
      ...blank,
      slots: null,
      occupied: null,
      cursor: null,
    });
    const empty = stoppedValues(FOLLOWER_FIELDS, { ...nothing, shards: [shard] });
    expect(crossed(empty)).toEqual(empty);
  });

  for (const name of names(FOLLOWER_FIELDS)) {
    test(`of a peer that has no ${name} is read with null there, or is none`, () => {
      const { [name as "pid"]: _left, ...rest } = FULL;
      const needed = [
        "schema",
        "command",
        "running",
        "verdict",
        "ready",
        "stopping",
        "atMs",
        "shards",
      ];
      const wanted = needed.includes(name) ? null : { ...FULL, [name]: null };
      expect(crossed(rest)).toEqual(wanted as StatusDocument);
    });
  }

  for (const name of names(SHARD_FIELDS)) {
    test(`of a peer whose shards have no ${name} likewise`, () => {
      const shards = FULL.shards.map((shard) => ({ ...shard, [name]: undefined }));
      const value = name === "diverged" ? [] : null;
      const read = FULL.shards.map((shard) => ({ ...shard, [name]: value }));
      const isNeeded = name === "shard" || name === "state";
      expect(crossed({ ...FULL, shards })).toEqual(
        isNeeded ? null : ({ ...FULL, shards: read } as StatusDocument),
      );
    });
  }
});

test("a stopped shard has every saved field as it had it while it ran", () => {
  const [saved = null] = savedShards([SNAPSHOT], () => null, [], WALL_MS - NOW_MS);
  const files = { slots: 1000, occupied: 600, cursor: { appliedTotal: 650n, maxVersionSeen: 7 } };
  const facts = { shard: 0, saved, savedAtMs: WALL_MS, wallMs: WALL_MS, complete: true };
  const stopped = stoppedValues(SHARD_FIELDS, { ...facts, ...files });
  const wanted = {
    ...FULL.shards[0],
    ...{ state: "stopped", ready: false, asOfMs: WALL_MS },
    // The limit on connections holds nobody back who does not ask.
    owed: { why: "loss", sinceMs: 5_000, heldUntilMs: null },
  };
  const unsaved = names(SHARD_FIELDS).filter((name) => !isSaved(name));
  for (const name of unsaved) Object.assign(wanted, { [name]: null });
  expect(stopped).toEqual(wanted as typeof stopped);
});

describe("docs/cli.md", () => {
  const { text } = readDocument("docs/cli.md");

  test("names every field of the document", () => {
    const start = text.indexOf('    status   {"schema":1');
    const part = text.slice(start, text.indexOf("    replicate (a line each)"));
    const [top = "", shard = ""] = part.split('"shards":[');
    const missing = (fields: Rows, where: string) =>
      names(fields).filter((name) => !where.includes(`"${name}":`));
    expect(missing(FOLLOWER_FIELDS, `${top}"shards":`)).toEqual([]);
    expect(missing(SHARD_FIELDS, shard)).toEqual([]);
  });

  test("has every series with its kind and its help", () => {
    const section = text.split(/^## /m).find((part) => part.startsWith("Metrics\n")) ?? "";
    const rows = section.split("\n").filter((line) => line.startsWith("| `"));
    const wanted = METRICS.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`);
    expect(rows).toEqual(wanted);
  });
});
