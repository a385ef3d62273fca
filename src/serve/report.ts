// What a leader says about its followers: plain data, for JSON lines and for people (cli.md: JSON, serve).

import type { ProtocolVersion } from "../wire/messages.ts";
import type { SlotTally } from "./catch-up-scan.ts";

interface FollowerFacts {
  /** `host:port`. */
  readonly from: string;
  /** Null until it asked for one. */
  readonly shard: number | null;
}

export type FollowerReport =
  /** It asked for a shard and gets it. `slots`: what the scan covers. */
  | (FollowerFacts & {
      readonly state: "scanning";
      readonly protocol: ProtocolVersion;
      readonly slots: number;
    })
  /** It has everything, and gets what comes. */
  | (FollowerFacts & {
      readonly state: "live";
      readonly protocol: ProtocolVersion;
      /** Events of the scan. */
      readonly sent: number;
      readonly torn: SlotTally;
      readonly invalid: SlotTally;
    })
  /** It got an Error frame in place of ShardInfo. */
  | (FollowerFacts & { readonly state: "refused"; readonly reason: string })
  /** Our disk failed it. */
  | (FollowerFacts & { readonly state: "failed"; readonly reason: string })
  /** Its connection is over. */
  | (FollowerFacts & { readonly state: "ended"; readonly reason: string });
