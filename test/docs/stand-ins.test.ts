// A place is a fresh machine, and its stand-ins act: users are those that useradd made, and systemctl starts what lies there.

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openToAll, TempRoot } from "../support/temp.ts";
import { programWords } from "../support/program.ts";
import { Place } from "./places.ts";
import { need } from "../support/needs.ts";
import { CHANGES_USERS, changesUsers } from "./users.ts";

const NOBODY_LISTENS = "127.0.0.1:1";
const ADD = "useradd --system --home-dir /var/lib/armdb --shell /usr/sbin/nologin armdb";
const UNIT = `[Service]
ExecStart=/usr/local/bin/facts
User=armdb
UMask=0077
StateDirectory=facts
StateDirectoryMode=0700
`;
const FACTS = `#!/bin/sh
id -u >/var/lib/facts/uid
id -G >/var/lib/facts/groups
exec sleep 60
`;

const temp = new TempRoot("stand-ins");
openToAll(temp.path);
afterAll(() => temp[Symbol.dispose]());

function freshPlace(): Place {
  const dir = temp.fresh("place");
  mkdirSync(dir);
  return new Place(dir, programWords(), NOBODY_LISTENS);
}

async function output(place: Place, text: string): Promise<string> {
  const ran = await place.run(text);
  expect(ran).toMatchObject({ status: 0 });
  return ran.output.trim();
}

test("a place has what a fresh Debian has, and nothing of armdb", async () => {
  await using place = freshPlace();
  expect(readdirSync(place.root).sort()).toEqual(["etc", "srv", "usr", "var"]);
  expect(readdirSync(join(place.root, "var")).sort()).toEqual(["backups", "lib"]);
  for (const path of ["/var/lib", "/usr/local/share/man", "/usr/local/bin", "/srv"])
    expect(readdirSync(place.path(path))).toEqual([]);
  expect((await place.run("armdb version")).status).not.toBe(0);
  expect(await output(place, "dist/armdb version")).toStartWith("armdb ");
});

describe("a user who was not made", () => {
  for (const command of [
    "sudo -u armdb true",
    "chown armdb /var/lib",
    "chown -R armdb:armdb /var/lib",
    "install -d -o armdb /var/lib/armdb",
    "install -d -g armdb /var/lib/armdb",
  ]) {
    test(`is an error of ${command}`, async () => {
      await using place = freshPlace();
      const ran = await place.run(command);
      expect({ ...ran, isFailure: ran.status !== 0 }).toMatchObject({ isFailure: true });
      expect(existsSync(place.path("/var/lib/armdb"))).toBe(false);
      expect((await place.run(`${ADD}\n${command}`)).status).toBe(0);
    });
  }

  test("cannot be made twice", async () => {
    await using place = freshPlace();
    expect((await place.run(ADD)).status).toBe(0);
    expect(await place.run(ADD)).toEqual({
      status: 9,
      output: "useradd: user 'armdb' already exists\n",
    });
  });
});

describe("the machine that runs the test is left alone", () => {
  for (const command of ["ls /home/ann", "rm -r /var/log/armdb", "cat </root/key", "cd /usr"])
    test(`by ${command}`, async () => {
      await using place = freshPlace();
      await expect(place.run(command)).rejects.toThrow("not a path of the place");
    });

  for (const command of ["chown -R armdb ..", "install -d -o armdb ../var"])
    test(`by ${command}`, async () => {
      await using place = freshPlace();
      const ran = await place.run(`${ADD}\n${command}`);
      expect(ran).toMatchObject({ status: 1, output: expect.stringContaining("outside of the") });
    });

  test("by names of directories without a slash behind them", async () => {
    await using place = freshPlace();
    const said = await output(place, "echo /var/lib '/etc' /srv; cd /var/backups; pwd");
    for (const word of said.split(/\s+/)) expect(word).toStartWith(place.root);
  });
});

test("systemctl starts the unit of the place, and the place ends it", async () => {
  const place = freshPlace();
  writeFileSync(place.path("/usr/local/bin/facts"), "#!/bin/sh\necho $$ >pid\nexec sleep 60\n");
  const unit = place.path("/etc/systemd/system/facts.service");
  writeFileSync(unit, "[Service]\nExecStart=/usr/local/bin/facts\n[Install]\nWantedBy=x\n");
  await output(place, "chmod 755 /usr/local/bin/facts\nsystemctl enable --now facts");
  expect(await output(place, "systemctl is-active facts")).toBe("active");
  const pid = await output(place, "until [ -s root/pid ]; do sleep 0.1; done; cat root/pid");
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  await place[Symbol.asyncDispose]();
  expect([existsSync(`/proc/${pid}`), existsSync(place.dir)]).toEqual([false, false]);
});

test("ARMDB_TEST_USERS=1 fails where users cannot be changed", () => {
  expect(changesUsers({}, 0)).toBe(false);
  expect(changesUsers({ ARMDB_TEST_USERS: "1" }, 0)).toBe(true);
  for (const uid of [1000, null])
    expect(() => changesUsers({ ARMDB_TEST_USERS: "1" }, uid)).toThrow("run this as root");
});

describe.if(need("ARMDB_TEST_USERS=1", CHANGES_USERS))(
  "with users that are changed (ARMDB_TEST_USERS=1, as root)",
  () => {
    test("what is theirs is not root's, and what is root's they cannot read", async () => {
      await using place = freshPlace();
      await output(place, `${ADD}\ninstall -d -m 0700 -o armdb -g armdb /var/lib/armdb`);
      const { uid, gid, mode } = statSync(place.path("/var/lib/armdb"));
      expect(Number(await output(place, "sudo -u armdb id -u"))).toBe(uid);
      expect(await output(place, "sudo -u armdb id -G")).toBe(String(gid));
      expect([uid === 0, (mode & 0o777).toString(8)]).toEqual([false, "700"]);
      await output(place, "umask 077; echo mine >/var/lib/armdb/file");
      expect((await place.run("sudo -u armdb cat /var/lib/armdb/file")).status).toBe(1);
      await output(place, "chown -R armdb:armdb /var/lib/armdb");
      expect(await output(place, "sudo -u armdb cat /var/lib/armdb/file")).toBe("mine");
      expect(await output(place, "useradd app; sudo -u app id -u")).not.toBe(String(uid));
    });

    test("a service is its user's, and so is its state directory with what root left in it", async () => {
      await using place = freshPlace();
      writeFileSync(place.path("/etc/systemd/system/facts.service"), UNIT);
      const facts = FACTS.replaceAll("/var/lib", place.path("/var/lib"));
      writeFileSync(place.path("/usr/local/bin/facts"), facts);
      await output(place, `chmod 755 /usr/local/bin/facts\n${ADD}`);
      await output(place, "mkdir /var/lib/facts; touch /var/lib/facts/uid; systemctl start facts");
      const wait = "until [ -s /var/lib/facts/groups ]; do sleep 0.1; done";
      const said = await output(place, `${wait}; cat /var/lib/facts/uid /var/lib/facts/groups`);
      const { uid, mode } = statSync(place.path("/var/lib/facts"));
      expect(said).toBe(`${uid}\n${uid}`);
      expect([uid === 0, (mode & 0o777).toString(8)]).toEqual([false, "700"]);
      expect(statSync(place.path("/var/lib/facts/groups")).mode & 0o777).toBe(0o600);
    });
  },
);
