// The table row of `armdb replicate`: arguments, options, examples, exit codes (cli.md: replicate).

import { PROGRESS_OPTION } from "../words/pace.ts";
import type { CommandSpec } from "../words/spec.ts";

export const replicateSpec: CommandSpec = {
  name: "replicate",
  summary: "follow a leader into a directory that the crate can open",
  description:
    "Connects to LEADER, one connection a shard, copies what it has and follows what it writes. DIR is made from what the " +
    "leader says on first use; later runs go on with it. Lost connections are made again for ever. A leader can lose " +
    "events without a word on the wire: full scans find and mend that (--resync, --poll), and what cannot be explained is " +
    "reported as diverged, never overwritten in silence.\n\n" +
    "The protocol has no authentication and no encryption: across machines use a tunnel.",
  arguments: [
    { name: "LEADER", required: true, summary: "the leader's replication address, HOST:PORT" },
  ],
  options: [
    {
      name: "data",
      kind: "text",
      value: "DIR",
      summary: "the replica's directory; made on first use",
      complete: "directory",
    },
    {
      name: "once",
      kind: "flag",
      summary: "stop with 0 when every shard has caught up and is durable",
    },
    {
      name: "timeout",
      kind: "duration",
      value: "TIME",
      default: "60s",
      offAllowed: true,
      summary: "with --once: give up with 12 after this long without progress",
    },
    {
      name: "resync",
      kind: "duration",
      value: "TIME",
      default: "1h",
      offAllowed: true,
      summary: "a full re-scan this often while live, against events lost in silence",
    },
    {
      name: "poll",
      kind: "duration",
      value: "TIME",
      default: "5m",
      summary: "pause between scans where the leader gives no live stream",
    },
    {
      name: "leader-connections",
      kind: "text",
      value: "N",
      default: "1000",
      summary:
        "connections a day, all shards together, to a protocol 1 leader (each costs it memory); or off",
    },
    {
      name: "window",
      kind: "integer",
      value: "N",
      default: "64",
      summary: "acks sent ahead in a catch-up; 0 waits for each batch",
    },
    {
      name: "limit-rate",
      kind: "rate",
      value: "RATE",
      summary: "slow catch-ups to this many bytes a second, all shards together",
    },
    {
      name: "sync",
      kind: "choice",
      value: "WHEN",
      choices: ["group", "batch", "off"],
      default: "group",
      summary: "fdatasync within 50 ms of a write; before each Ack; or only at ready and stop",
    },
    {
      name: "http",
      kind: "text",
      value: "HOST:PORT",
      summary: "serve /metrics, /health, /ready, /status.json; a port alone is on 127.0.0.1",
    },
    {
      name: "max-lag",
      kind: "duration",
      value: "TIME",
      default: "30s",
      summary: "the lag that /health allows",
    },
    {
      name: "adopt",
      kind: "flag",
      summary: "follow into a directory that holds data but no cursor",
      commandLineOnly: true,
    },
    {
      name: "accept-leader",
      kind: "flag",
      summary:
        "overwrite diverged records with the leader's version (the old ones are saved to armdb-reset-SHARD.log)",
      commandLineOnly: true,
    },
    {
      name: "force",
      kind: "flag",
      summary: "follow although another process has files of DIR open for writing",
      commandLineOnly: true,
    },
    PROGRESS_OPTION,
  ],
  examples: [
    {
      command: "armdb replicate 10.0.0.5:7400 --data /var/lib/armdb/orders",
      explains: "follow for good; Ctrl-C stops in good order",
    },
    {
      command: "armdb replicate 10.0.0.5:7400 --data ./copy --once",
      explains: "a copy as of now, durable, then exit",
    },
    {
      command:
        "armdb replicate 10.0.0.5:7400 --data ./copy --once --json | jq -c 'select(.type==\"caught-up\")'",
      explains: "for scripts: one object a line",
    },
    {
      command: "armdb replicate 10.0.0.5:7400 --data ./copy --http 9100",
      explains: "with metrics and health on 127.0.0.1:9100",
    },
  ],
  runsOn: "always",
  exits: [
    [0, "caught up (--once), or stopped in good order by a signal"],
    [2, "usage; or DIR needs --adopt"],
    [3, "DIR is damaged: verify, then repair"],
    [4, "--once: slots differ from the leader and are kept"],
    [10, "DIR is not a directory for a database"],
    [11, "DIR is in use by another process"],
    [12, "--once: no progress within --timeout"],
    [13, "other geometry, format or protocol; not a leader"],
    [14, "no space"],
    [15, "the disk failed, is read-only, or permission is missing"],
    [130, "--once: stopped by SIGINT (143: by SIGTERM, 129: by SIGHUP)"],
  ],
  next: ["armdb status DIR", "armdb verify DIR", "armdb compare DIR LEADER"],
};
