// `armdb serve DIR --listen HOST:PORT`: is a leader over a directory at rest (cli.md; wire.md: What a leader owes a crate
// follower). Writes nothing in DIR. Each connection gets a whole scan and then a live stream without events.

import { ArmdbError } from "../../errors.ts";
import type { ServedDirectory } from "../../serve/served-database.ts";
import { ChangeWatch } from "../../serve/change-watch.ts";
import { isLoopback, parseListenAddress } from "../../io/address.ts";
import { NO_LIVE_EVENTS } from "../../serve/live-source.ts";
import type { FollowerReport } from "../../serve/report.ts";
import { openAtRest } from "../../serve/open-at-rest.ts";
import { LeaderServer } from "../../serve/server.ts";
import { fileStamp } from "../../store/holders.ts";
import type { Command, Context } from "../command.ts";
import type { CommandSpec } from "../words/spec.ts";
import { FollowerLines } from "./serve-lines.ts";

const spec: CommandSpec = {
  name: "serve",
  summary: "be a leader: serve a database directory to followers",
  description:
    "Serves DIR as a leader does, protocols 1 and 2, to any number of followers: armdb replicate and the crate's own. " +
    "DIR has to be at rest: one that another process holds locked or has open for writing is refused, and changes seen " +
    "while serving are reported. A replica whose first copy has not ended is refused too: followers would take it for all there is. Followers get everything that is there, then a live stream without events.\n\n" +
    "There is no authentication and no encryption in the protocol: listen on 127.0.0.1, or where only followers can reach it.",
  arguments: [
    {
      name: "DIR",
      required: true,
      summary: "a database directory at rest (with db.meta)",
      complete: "directory",
    },
  ],
  options: [
    {
      name: "listen",
      kind: "text",
      value: "HOST:PORT",
      summary: "where followers connect; port 0 takes any free one and says which",
    },
    {
      name: "force",
      kind: "flag",
      summary:
        "serve although another process has files of DIR open for writing, or the first copy into DIR has not ended",
      commandLineOnly: true,
    },
  ],
  examples: [
    {
      command: "armdb serve /var/backups/orders --listen 127.0.0.1:7400",
      explains: "serve a copy to followers on this machine",
    },
    {
      command: "armdb serve ./replica --listen 10.0.0.5:7400",
      explains: "serve a stopped replica to other machines",
    },
    {
      command:
        "armdb serve ./replica --listen 127.0.0.1:0 --json | jq -r 'select(.type==\"listening\").at'",
      explains: "for scripts: any free port, one object a line",
    },
  ],
  exits: [
    [
      0,
      "stopped in good order by SIGINT, SIGTERM or SIGHUP, or because nobody reads --json any more",
    ],
    [2, "no address to listen on, or it is taken"],
    [3, "db.meta or a header is damaged"],
    [4, "the first copy into DIR has not ended"],
    [10, "no database there"],
    [11, "locked, or open for writing, by another process"],
    [13, "another format"],
    [15, "the directory cannot be read"],
  ],
  runsOn: "always",
  next: ["armdb replicate HOST:PORT --data NEW_DIR", "armdb verify DIR", "armdb doctor HOST:PORT"],
};

export const serveCommand: Command = { spec, run };

async function run(context: Context): Promise<number> {
  const { args, disk, messages } = context;
  const dir = args.argument("DIR") ?? "";
  const listen = args.text("listen");
  if (listen === null) {
    throw new ArmdbError("usage", "There is no address to listen on: --listen is missing", {
      hint: `armdb serve "${dir}" --listen 127.0.0.1:7400`,
    });
  }
  const address = parseListenAddress(listen);
  const held = openAtRest({
    disk,
    dir,
    force: args.flag("force"),
    note: (text) => messages.info(text),
    warn: (text) => messages.warn(text),
  });
  try {
    if (!isLoopback(address.host)) {
      messages.warn(
        `Whoever reaches ${listen} can read this database: the protocol has no password and no encryption`,
      );
    }
    return await serve(context, held.directory, address.host, address.port);
  } finally {
    held.close();
  }
}

async function serve(
  context: Context,
  directory: ServedDirectory,
  host: string,
  port: number,
): Promise<number> {
  const { out, messages, json, clock, net } = context;
  const lines = new FollowerLines(messages, directory.path, clock);
  const say = (document: Record<string, unknown>) => {
    if (json) out.json({ schema: 1, ...document });
  };
  const server = LeaderServer.start(
    {
      net,
      clock,
      database: directory,
      live: NO_LIVE_EVENTS,
      report: (report) => {
        say(followerDocument(report));
        lines.follower(report);
      },
    },
    host,
    port,
  );
  const watch = new ChangeWatch({
    directory,
    clock,
    stampOf: fileStamp,
    changed: (change) => {
      say({ type: "changed", shard: change.shard, path: change.path, what: change.what });
      lines.changed(change);
    },
  });
  say({ type: "listening", at: server.at });
  lines.listening(server.at, directory);
  watch.start();
  try {
    await stopped(context);
  } finally {
    watch.stop();
    await server.stop();
    lines.end();
  }
  messages.info("Stopped");
  return 0;
}

/** cli.md: JSON, serve. Counts of slots are numbers, totals are strings. */
function followerDocument(report: FollowerReport): Record<string, unknown> {
  const { from, shard, state } = report;
  const facts = { type: "follower", from, shard, state };
  switch (state) {
    case "scanning":
      return { ...facts, protocol: report.protocol, slots: report.slots };
    case "live": {
      const { protocol, sent, torn, invalid } = report;
      return { ...facts, protocol, sent: String(sent), torn: torn.count, invalid: invalid.count };
    }
    case "refused":
    case "failed":
    case "ended":
      return { ...facts, reason: report.reason };
  }
}

/** By a signal; a script that reads no more of --json wants no more either. */
async function stopped({ stop, out, json }: Context): Promise<void> {
  if (stop.aborted) return;
  await new Promise<void>((resolve) => {
    stop.addEventListener("abort", () => resolve(), { once: true });
    if (json) out.whenClosed(resolve);
  });
}
