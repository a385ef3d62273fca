// The set-up wizard with a person who answers as told, and the unit it prints.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOutput } from "../../src/cli/surface/output.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import { Interrupted, type Prompts } from "../../src/cli/surface/terminal.ts";
import { systemdUnit } from "../../src/cli/pages/unit.ts";
import { shellWord } from "../../src/shell-words.ts";
import { setUpFollower } from "../../src/cli/commands/wizard.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryNet } from "../support/memory-net.ts";
import { MemorySink } from "./fake-machine.ts";
import { has } from "../support/needs.ts";

type Answer = string | boolean | "Ctrl-C";

/** Answers in order; keeps what was shown. */
class Person implements Prompts {
  readonly said: string[] = [];
  readonly #answers: Answer[];

  constructor(answers: readonly Answer[]) {
    this.#answers = [...answers];
  }

  intro(title: string): void {
    this.said.push(title);
  }
  outro(text: string): void {
    this.said.push(text);
  }
  step(text: string): void {
    this.said.push(text);
  }
  note(text: string): void {
    this.said.push(text);
  }
  async confirm(question: string): Promise<boolean> {
    return this.#next(question) === true;
  }
  async text(question: string, _placeholder: string, check: (text: string) => string | null) {
    for (;;) {
      const answer = String(this.#next(question));
      const wrong = check(answer);
      if (wrong === null) return answer;
      this.said.push(wrong);
    }
  }
  async select(question: string): Promise<string> {
    return String(this.#next(question));
  }

  #next(question: string): Answer {
    this.said.push(question);
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error(`no answer to ${question}`);
    if (answer === "Ctrl-C") throw new Interrupted();
    return answer;
  }
}

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "armdb-wizard-"));
});
afterAll(() => rmSync(root, { recursive: true }));

async function talk(answers: readonly Answer[]) {
  const sink = new MemorySink();
  const clock = new ManualClock();
  const net = new MemoryNet(clock);
  const person = new Person(answers);
  const out = createOutput({
    sink,
    palette: createPalette(false),
    styled: false,
    display: null,
    watchTerminal: () => () => {},
  });
  const stop = new AbortController().signal;
  const status = setUpFollower({ out, disk: realDisk, net, clock, stop, prompts: person });
  // Nobody listens: the refusal comes with the clock's next step.
  const done = status.finally(() => out.flush());
  for (let step = 0; step < 50; step++) {
    await Promise.resolve();
    clock.advance(100);
  }
  return { status: await done, printed: sink.text, said: person.said, connects: net.connects };
}

describe("the wizard", () => {
  test("prints the command line after questions answered well", async () => {
    const data = join(root, "new db");
    const { status, printed, connects } = await talk(["db:7400", data, false, true, "shell"]);
    expect(status).toBe(0);
    expect(printed).toBe(`armdb replicate db:7400 --data '${data}' --http 127.0.0.1:9407\n`);
    expect(connects).toBe(0);
  });

  test("asks again for an address that is none", async () => {
    const { said } = await talk(["db", "db:7400", "", join(root, "x"), false, false, "shell"]);
    expect(said).toContain("host:port, such as db.example:7400 or [::1]:7400");
    expect(said).toContain("a directory, there or not");
  });

  test("turns back when something is in the way and the person says so", async () => {
    const { status, printed, said, connects } = await talk([
      "db:7400",
      join(root, "x"),
      true,
      false,
    ]);
    expect(status).toBe(1);
    expect(printed).toBe("");
    expect(connects).toBe(1);
    expect(said.join("\n")).toContain("Cannot reach leader db:7400: ECONNREFUSED");
  });

  test("prints a unit and how to start it", async () => {
    const { printed } = await talk(["db:7400", join(root, "x"), false, false, "service"]);
    expect(printed).toContain("cat > /etc/systemd/system/armdb.service <<'END'\n[Unit]\n");
    expect(printed).toContain("\nEND\nsystemctl daemon-reload && systemctl enable --now armdb\n");
    expect(printed).not.toContain("--http");
  });

  test("ends when it is left", async () => {
    await expect(talk(["db:7400", "Ctrl-C"])).rejects.toThrow(Interrupted);
  });
});

describe("systemdUnit()", () => {
  const facts = {
    executable: "/usr/local/bin/armdb",
    leader: "db.example:7400",
    data: "/srv/db",
    http: "127.0.0.1:9407",
    user: "armdb",
  };

  test("is what it was", () => {
    expect(systemdUnit(facts)).toMatchSnapshot();
  });

  test("clears what the unit in contrib clears", () => {
    const cleared = (unit: string) => /^UnsetEnvironment=(.*)$/m.exec(unit)?.[1];
    const shipped = readFileSync("contrib/armdb-replicate.service", "utf8");
    expect(cleared(systemdUnit(facts))).toContain("BUN_BE_BUN");
    expect(cleared(systemdUnit(facts))).toBe(cleared(shipped));
  });

  test("quotes what systemd would expand, split or cut", () => {
    const unit = systemdUnit({ ...facts, data: '/srv/a b%n$HOME"\n[x]' });
    expect(unit).toContain('--data "/srv/a b%%n$$HOME\\" [x]"');
    expect(unit.split("\n")).not.toContain("[x]");
  });

  test("does not hide the data from the service", () => {
    expect(systemdUnit({ ...facts, data: "/home/me/db" })).toContain("ProtectHome=read-only");
    expect(systemdUnit({ ...facts, data: "/tmp/db" })).toContain("PrivateTmp=no");
  });

  test.if(has("systemd-analyze"))("is taken by systemd", () => {
    const path = join(root, "armdb.service");
    // systemd looks whether the executable is there.
    writeFileSync(path, systemdUnit({ ...facts, executable: "/bin/sh", user: "root" }));
    const checked = Bun.spawnSync(["systemd-analyze", "verify", "--man=no", path]);
    const complaints = checked.stderr
      .toString()
      .split("\n")
      .filter((line) => line.includes(path));
    expect(complaints).toEqual([]);
  });
});

test("shellWord() quotes what a shell would act upon", () => {
  expect(shellWord("/srv/db")).toBe("/srv/db");
  expect(shellWord("a b")).toBe("'a b'");
  expect(shellWord("it's")).toBe("'it'\\''s'");
  expect(shellWord("$(x)")).toBe("'$(x)'");
  expect(shellWord("")).toBe("''");
});
