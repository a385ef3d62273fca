// The service manager of a place does with a unit what systemd would: it waits for READY=1, restarts what a restart can help,
// and leaves nothing behind.

import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TempRoot } from "../support/temp.ts";
import { ServiceManager } from "./service-manager.ts";
import { Users } from "./users.ts";

const LIMIT_MS = 30_000;
const SHORT_LIMIT_MS = 400;
const READY = `import os, socket, time
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(
    b"READY=1\\nSTATUS=all is well", "\\0" + os.environ["NOTIFY_SOCKET"][1:])
time.sleep(60)`;

const temp = new TempRoot("manager");
afterAll(() => temp[Symbol.dispose]());

/** A manager with one unit, `it`, whose program is a script. */
class Machine implements AsyncDisposable {
  readonly root = temp.fresh("root");
  readonly manager: ServiceManager;

  constructor(script: string, unit: string, readyLimitMs = LIMIT_MS) {
    for (const path of ["etc/systemd/system/it.service.d", "var/lib"])
      mkdirSync(join(this.root, path), { recursive: true });
    this.write("program", `#!/bin/sh\n${script}\n`);
    chmodSync(join(this.root, "program"), 0o755);
    const text = `[Service]\nExecStart=${this.root}/program\n${unit}\n[Install]\nWantedBy=x\n`;
    this.write("etc/systemd/system/it.service", text);
    this.manager = new ServiceManager({
      root: this.root,
      users: new Users(join(this.root, "etc/passwd")),
      env: { PATH: process.env["PATH"] ?? "" },
      localised: (words) => words,
      readyLimitMs,
    });
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.root, path), text);
  }

  async systemctl(words: string) {
    return await this.manager.run(words.split(" "));
  }

  get service() {
    const service = this.manager.service("it");
    if (service === null) throw new Error("systemctl has not named it yet");
    return service;
  }

  async until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + LIMIT_MS;
    while (!holds()) {
      if (performance.now() > deadline) throw new Error(`it did not come: ${this.service.journal}`);
      await Bun.sleep(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.manager[Symbol.asyncDispose]();
  }
}

describe("a start", () => {
  test("of a program that never says READY=1 fails after its bound, and ends it", async () => {
    const unit = "Type=notify\nTimeoutStartSec=infinity";
    await using machine = new Machine("exec sleep 60", unit, SHORT_LIMIT_MS);
    const before = performance.now();
    const { status, output } = await machine.systemctl("enable --now it");
    expect({ status, state: machine.service.state }).toEqual({ status: 1, state: "failed" });
    expect(output).toContain("Job for it.service failed because a timeout was exceeded.");
    expect(performance.now() - before).toBeGreaterThanOrEqual(SHORT_LIMIT_MS);
    expect(existsSync(`/proc/${machine.service.pid}`)).toBe(false);
  });

  test("with --no-block is not waited for", async () => {
    await using machine = new Machine("exec sleep 60", "Type=notify");
    expect(await machine.systemctl("enable --now --no-block it")).toEqual({
      status: 0,
      output: "",
    });
    expect(machine.service.state).toBe("activating");
    expect((await machine.systemctl("is-active it")).status).toBe(3);
  });

  test(
    "ends well at READY=1",
    async () => {
      await using machine = new Machine("exec python3 ready.py", "Type=notify");
      machine.write("ready.py", READY);
      await machine.systemctl("start --no-block it");
      await machine.until(() => machine.service.state === "active");
      expect((await machine.systemctl("start it")).status).toBe(0);
      expect((await machine.systemctl("status it")).output).toContain('Status: "all is well"');
      expect((await machine.systemctl("stop it")).status).toBe(0);
      expect((await machine.systemctl("is-active it")).output).toBe("inactive\n");
    },
    LIMIT_MS,
  );

  test("of what ends before it is ready fails at once", async () => {
    await using machine = new Machine("echo no luck; exit 15", "Type=notify\nRestart=on-failure");
    const { status, output } = await machine.systemctl("start it");
    expect(status).toBe(1);
    expect(output).toContain("the control process exited with error code");
    expect(output).toContain("no luck");
  });

  test("needs a unit, and the user of the unit", async () => {
    await using machine = new Machine("exit 0", "User=nobody-there");
    expect((await machine.systemctl("start other")).output).toBe("Unit other.service not found.\n");
    expect((await machine.systemctl("start it")).output).toContain("no user nobody-there");
  });
});

describe("a program that ends", () => {
  const unit =
    "Type=notify\nRestart=on-failure\nRestartSec=20ms\nRestartPreventExitStatus=2 13\nUMask=0077";

  test("is started again after a failure", async () => {
    await using machine = new Machine("exit 15", unit);
    await machine.systemctl("start --no-block it");
    await machine.until(() => machine.service.starts >= 3);
    await machine.systemctl("stop it");
    const { starts } = machine.service;
    await Bun.sleep(100);
    expect(machine.service.starts).toBe(starts);
  });

  for (const [status, state] of [
    [13, "failed"],
    [2, "failed"],
    [0, "inactive"],
  ] as const) {
    test(`with ${status} is left alone`, async () => {
      await using machine = new Machine(`exit ${status}`, unit);
      await machine.systemctl("start --no-block it");
      await machine.until(() => machine.service.state === state);
      await Bun.sleep(100);
      expect({ starts: machine.service.starts, state: machine.service.state }).toEqual({
        starts: 1,
        state,
      });
    });
  }
});

describe("a unit", () => {
  test("is changed by a drop-in, after a daemon-reload", async () => {
    await using machine = new Machine("exit 3", "");
    await machine.systemctl("start --no-block it");
    await machine.until(() => machine.service.state === "failed");
    machine.write("etc/systemd/system/it.service.d/a.conf", "[Service]\nExecStart=\n");
    machine.write(
      "etc/systemd/system/it.service.d/b.conf",
      `[Service]\nExecStart=${machine.root}/program "two words"\n`,
    );
    machine.write("program", `#!/bin/sh\necho "$# $1"\n`);
    expect(machine.service.unit.words).toHaveLength(1);
    await machine.systemctl("daemon-reload");
    await machine.systemctl("start --no-block it");
    await machine.until(() => machine.service.journal.includes("1 two words"));
  });

  test("has its state directory made", async () => {
    await using machine = new Machine("pwd", "StateDirectory=it\nStateDirectoryMode=0700");
    await machine.systemctl("start --no-block it");
    expect(existsSync(join(machine.root, "var/lib/it"))).toBe(true);
  });
});

test("the end of the manager is the end of all that a service started", async () => {
  const machine = new Machine("sleep 60 & echo $! >child; trap '' TERM; sleep 60", "");
  writeFileSync(
    join(machine.root, "etc/systemd/system/it.service.d/a.conf"),
    "[Service]\nTimeoutStopSec=200ms\n",
  );
  await machine.systemctl("start it");
  await machine.until(() => existsSync(join(machine.root, "child")));
  await machine.until(() => readFileSync(join(machine.root, "child"), "utf8") !== "");
  const child = readFileSync(join(machine.root, "child"), "utf8").trim();
  await machine[Symbol.asyncDispose]();
  const isAlive = (pid: string) => !/^State:\s+Z/m.test(statusOf(pid));
  expect({ main: existsSync(`/proc/${machine.service.pid}`), child: isAlive(child) }).toEqual({
    main: false,
    child: false,
  });
});

/** Of a process that nobody has waited for, or that is gone: a zombie's. */
function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "State: Z";
  }
}
