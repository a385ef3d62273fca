// `armdb status` by somebody who may not look: exit 5 with the way out, never a guess. Needs root and setpriv; elsewhere skipped.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { controlSockets } from "../../src/io/control-socket.ts";
import { realNet } from "../../src/io/sockets.ts";
import { asciiJson } from "../../src/status/ascii-json.ts";
import { FixtureCopy } from "../audit/repair-support.ts";
import { runArmdb } from "../support/armdb.ts";
import { openToAll } from "../support/temp.ts";
import { documentOf, viewOf } from "./facts.ts";
import { has, need } from "../support/needs.ts";

const NOBODY = 65534;
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
const possible = need("root", process.geteuid?.() === 0) && has("setpriv");

describe.if(possible)("status by another user", () => {
  // The program itself may lie where nobody else can read it.
  let readable = false;
  let copy: FixtureCopy;
  beforeAll(async () => {
    readable = (await runArmdb(["version"], { launcher: AS_NOBODY })).status === 0;
    copy = new FixtureCopy("8x16-2-shards", "follower-clean");
    openToAll(copy.path);
  });
  afterAll(() => copy[Symbol.dispose]());

  async function expectNotAllowed(): Promise<void> {
    const run = await runArmdb(["status", copy.path, "--json"], { launcher: AS_NOBODY });
    expect([run.status, run.stdout]).toEqual([5, ""]);
    expect(run.error).toMatchObject({ code: "unknown", exit: 5 });
    expect(run.error?.["message"]).toContain("EACCES");
    expect(run.error?.["hint"]).toContain("sudo -u");
  }

  test("reads the files where everybody may", async () => {
    if (!readable) return;
    const run = await runArmdb(["status", copy.path, "--json"], { launcher: AS_NOBODY });
    expect([run.status, JSON.parse(run.stdout)]).toMatchObject([5, { verdict: "stopped" }]);
  });

  test("is refused where a follower runs whose socket is not for everybody", async () => {
    if (!readable) return;
    const listener = controlSockets(realNet).listen({
      path: join(copy.path, "armdb.sock"),
      owner: null,
      sendQueueBytesMax: 1024 * 1024,
      accept: () => ({
        opened: () => {},
        received: (link) => link.send(Buffer.from(`${asciiJson(documentOf([viewOf()]))}\n`)),
        ended: () => {},
      }),
    });
    await expectNotAllowed();
    expect((await runArmdb(["status", copy.path])).status).toBe(0);
    listener.stop();
  });

  test("is refused where the directory may not be entered", async () => {
    if (!readable) return;
    chmodSync(copy.path, 0o700);
    await expectNotAllowed();
    chmodSync(copy.path, 0o755);
  });
});
