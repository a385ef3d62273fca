// The errors of a conversation with a leader that compare and `repair --from` report (cli.md: Exit codes, 5, 12, 13).
// Text that the peer chose is cut by its decoder and escaped by whoever shows it.

import { ArmdbError } from "../../errors.ts";

/** Nobody there, or the connection was lost: exit 12. */
export function leaderUnreachable(leader: string, why: string): ArmdbError {
  return new ArmdbError("leader-unreachable", `Cannot reach leader ${leader}: ${why}`, {
    hint: `armdb doctor ${leader}`,
  });
}

/** The leader went away, or ended its scan, before the scan was whole: exit 12. */
export function scanLost(leader: string, shard: number, why: string): ArmdbError {
  return new ArmdbError(
    "leader-unreachable",
    `Cannot scan shard ${shard} of leader ${leader}: ${why}`,
    { shard, hint: `armdb doctor ${leader}, then the same command again` },
  );
}

/** What answers is not a leader of a protocol that we speak: exit 13. */
export function notALeader(leader: string, why: string): ArmdbError {
  return new ArmdbError("incompatible", `No armdb leader at ${leader}: ${why}`, {
    hint: `armdb doctor ${leader}`,
  });
}

/** The leader broke the protocol in the middle of a scan: exit 13. */
export function brokeProtocol(leader: string, shard: number, why: string): ArmdbError {
  return new ArmdbError(
    "incompatible",
    `Cannot scan shard ${shard} of leader ${leader}: bad bytes from it: ${why}`,
    { shard, hint: `armdb doctor ${leader}` },
  );
}

/** The leader has another database than the directory: exit 13. */
export function otherGeometry(there: string, differences: readonly string[]): ArmdbError {
  return new ArmdbError("incompatible", `Cannot compare with ${there}: ${differences.join("; ")}`, {
    hint: "armdb inspect DIR shows what is here; is that the right leader or directory?",
  });
}

/** Another follower has the shard's only stream: exit 5 (cli.md: compare). */
export function alreadyStreaming(leader: string, shard: number): ArmdbError {
  return new ArmdbError(
    "unknown",
    `Cannot scan shard ${shard} of leader ${leader}: "shard already streaming": it serves one follower a ` +
      "shard at a time, and another one has it (or a dead connection that it still holds, for minutes)",
    {
      shard,
      hint: "compare on the machine of that follower (it then compares itself), or stop it meanwhile",
    },
  );
}

/** The leader refused with an Error frame: exit 5. */
export function refusedByLeader(leader: string, shard: number, text: string): ArmdbError {
  return new ArmdbError("unknown", `Leader ${leader} refused a scan of shard ${shard}: "${text}"`, {
    shard,
    hint: `the leader's own log, then armdb doctor ${leader}`,
  });
}
