// What a shard tells of a comparison with its leader: plain data that crosses threads (shard-messages.ts). Used by
// difference-recorder.ts, which makes it, and by status/follower-compare.ts, which asks for it. Kinds of differences are not
// named here: the audit does that.

/** A whole scan, held against what was here before: differences in columns of the same length; slots ascend. */
export interface ComparedScan {
  readonly slots: Uint32Array;
  /**
   * Meta words before the scan mended anything, as the file had them; status 3 stands for bytes that cannot be trusted, 0
   * for a slot that is not there.
   */
  readonly here: Uint32Array;
  /** The leader's meta words, 0 where it did not send the slot. With equal words the bytes differ. */
  readonly there: Uint32Array;
  /** MENDED, or 0. */
  readonly flags: Uint8Array;
  /** Slots looked at. */
  readonly compared: number;
  /** Differences past the bound: counted, not kept. */
  readonly notKept: number;
  /**
   * The stream was closed and opened for this scan: so many slots that are newer at the leader may have been written in
   * between, which cannot be told from a loss (cli.md: rescanned). 0 where there was no such gap or nobody writes.
   */
  readonly inFlightMax: number;
}

/** The scan has made the slot the leader's. */
export const MENDED = 1;

export type CompareEvent =
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "compared"; readonly scan: ComparedScan }
  /** It cannot be compared. Nothing follows, as nothing follows `compared`. */
  | { readonly kind: "failed"; readonly reason: string };
