// Turns the facts of slots into findings: damage one by one, notes as one with a count (cli.md: verify). Used by scan/block.ts.

import { toHex, u32Hex, viewOf } from "../../bytes.ts";
import { shardOfKey } from "../../format/routing.ts";
import { slotOffset } from "../../format/shard-header.ts";
import {
  SLOT_CRC_OFFSET,
  SLOT_KEY_OFFSET,
  slotCrc,
  VERSION_MODULUS,
  versionOf,
} from "../../format/slot.ts";
import { SIDECAR_FILE } from "../../format/versions-sidecar.ts";
import type { FindingList } from "../finding-list.ts";
import type { FindingKind } from "../findings.ts";
import type { ScanTask } from "./data.ts";
import { describeWord, relateWord } from "../check/sidecar.ts";
import { SLOT_BAD_CRC, SLOT_BAD_STATUS, SLOT_MISROUTED } from "../../format/slot-scanner.ts";
import { SLOT_DAMAGED, SLOT_REMARKABLE, SLOT_SUSPECT, type SlotChecker } from "./slot-check.ts";
import { SLOT_LET_GO, SlotNotes } from "./slot-notes.ts";

/** Versions this close to the wrap are noted. */
const VERSION_NEAR_WRAP = VERSION_MODULUS - 2 ** 24;

/** Collects what the slots of one shard give rise to. */
export class SlotFindings {
  readonly #task: ScanTask;
  readonly #findings: FindingList;
  readonly notes = new SlotNotes();

  constructor(task: ScanTask, findings: FindingList) {
    this.#task = task;
    this.#findings = findings;
  }

  /** Adds the findings of a checked chunk. `sidecarWords`: what the sidecar has for these slots, where it is in use. */
  addChunk(
    checker: SlotChecker,
    first: number,
    slots: number,
    sidecarWords: Uint32Array | null,
  ): void {
    for (let index = 0; index < slots; index++) {
      const facts = (checker.facts[index] as number) & SLOT_REMARKABLE;
      if (facts === 0) continue;
      const slot = first + index;
      if ((facts & SLOT_SUSPECT) !== 0) {
        this.#addDamage(checker.slotAt(index), facts, slot, sidecarWords?.[index] ?? null);
      }
      this.notes.addSlot(facts, slot);
    }
  }

  #addDamage(bytes: Uint8Array, facts: number, slot: number, sidecarMeta: number | null): void {
    const { layout, routing } = this.#task;
    const view = viewOf(bytes);
    const key = bytes.subarray(SLOT_KEY_OFFSET, SLOT_KEY_OFFSET + layout.keyLen);
    const add = (kind: FindingKind, message: () => string) =>
      this.#addOfSlot(kind, slot, message, key, sidecarMeta);
    if ((facts & SLOT_BAD_STATUS) !== 0) {
      const version = versionOf(view.getUint32(0, true));
      add("slot-status", () => `status 3 (version ${version}), which nobody writes`);
    }
    if ((facts & SLOT_BAD_CRC) !== 0) {
      add("slot-crc", () => {
        const stored = u32Hex(view.getUint32(SLOT_CRC_OFFSET, true));
        return `the stored crc is ${stored}, the bytes make ${u32Hex(slotCrc(bytes, layout))}`;
      });
    }
    if ((facts & SLOT_MISROUTED) !== 0 && routing !== null) {
      const { shardCount, shardPrefixBits } = routing;
      add(
        "key-misrouted",
        () => `its key belongs to shard ${shardOfKey(key, shardCount, shardPrefixBits)}`,
      );
    }
  }

  #addOfSlot(
    kind: FindingKind,
    slot: number,
    message: () => string,
    key: Uint8Array,
    sidecarMeta: number | null,
  ): void {
    const { shard, file, layout } = this.#task;
    if (this.#findings.countMore(kind, shard, slot)) return;
    const offset = slotOffset(slot, layout.slotSize);
    this.#findings.add({
      ...{ kind, shard, slot, file, offset, sidecarMeta },
      ...{ key: toHex(key), message: message() },
    });
  }

  /** Compares the words of the sidecar in use with the slots of a checked chunk (format.md: last section). */
  addSidecarWords(checker: SlotChecker, words: Uint32Array, first: number, slots: number): void {
    for (let index = 0; index < slots; index++) {
      const word = words[index] as number;
      const meta = checker.metaAt(index);
      if (word === meta) continue;
      // A slot that cannot be trusted is a finding already.
      if (((checker.facts[index] as number) & SLOT_DAMAGED) !== 0) continue;
      this.#addWord(word, meta, first + index);
    }
  }

  #addWord(word: number, meta: number, slot: number): void {
    const relation = relateWord(word, meta);
    if (relation === "let-go") return this.notes.addSlot(SLOT_LET_GO, slot);
    const { shard } = this.#task;
    if (this.#findings.countMore("sidecar-hides-slot", shard, slot)) return;
    this.#findings.add({
      kind: "sidecar-hides-slot",
      shard,
      slot,
      file: sidecarName(this.#task),
      offset: slot * 4,
      sidecarMeta: word,
      message: describeWord(relation, word, meta),
    });
  }

  /** Adds slots that could not be read. */
  addUnreadable(first: number, count: number, reason: string): void {
    const { shard, file, layout } = this.#task;
    this.#findings.add({
      kind: "unreadable",
      shard,
      slot: first,
      file,
      offset: slotOffset(first, layout.slotSize),
      count,
      message: `cannot be read: ${reason}`,
    });
  }
}

/** Adds what was counted of a whole shard. */
export function addNotes(
  { shard, file, layout }: ScanTask,
  notes: SlotNotes,
  versionMax: number,
  findings: FindingList,
): void {
  for (const { fact, kind, message, first, count } of notes.all()) {
    const place =
      fact === SLOT_LET_GO
        ? { file: sidecarName({ file }), offset: first * 4 }
        : { file, offset: slotOffset(first, layout.slotSize) };
    findings.add({ kind, shard, slot: first, count, message, ...place });
  }
  if (versionMax >= VERSION_NEAR_WRAP) {
    const message = `the greatest version is ${versionMax}, after ${VERSION_MODULUS - 1} comes 0`;
    findings.add({ kind: "version-near-wrap", shard, file, message });
  }
}

/** The name of a shard's sidecar, from that of its data. */
export function sidecarName({ file }: Pick<ScanTask, "file">): string {
  return file.replace(/[^/]+$/, SIDECAR_FILE);
}
