// `armdb` without a command on a terminal: asks for leader and directory, lets doctor look, and prints the command line
// and a systemd unit to keep. Writes nothing and starts nothing; all of it can be had without a prompt.

import { resolve } from "node:path";
import { parseAddress } from "../../io/address.ts";
import type { Clock } from "../../io/clock.ts";
import type { Disk } from "../../io/disk.ts";
import type { Net } from "../../io/net.ts";
import type { Output } from "../surface/surface.ts";
import { checkLines } from "./doctor.ts";
import { type Check, verdictOf } from "../doctor/check.ts";
import { examine } from "../doctor/examine.ts";
import { loadPrompts, type Prompts } from "../surface/terminal.ts";
import { shellWord } from "../../shell-words.ts";
import { replicateWords, systemdUnit } from "../pages/unit.ts";

/** What the wizard works with. */
export interface WizardContext {
  readonly out: Output;
  readonly disk: Disk;
  readonly net: Net;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  /** Tests pass their own. */
  readonly prompts?: Prompts;
}

const HTTP_ADDRESS = "127.0.0.1:9407";
const SERVICE_USER = "armdb";

/** Returns the exit status: 0 when a command line was printed, 1 when the operator turned back. */
export async function setUpFollower(context: WizardContext): Promise<number> {
  const prompts = context.prompts ?? (await loadPrompts(context.stop));
  prompts.intro("armdb: set up a follower (armdb help shows all commands)");
  const leader = await prompts.text("Which leader? host:port", "db.example:7400", checkLeader);
  const given = await prompts.text("Where shall the copy live?", "/srv/db", checkDirectory);
  const data = resolve(given);
  const asks = await prompts.confirm(
    "Ask the leader now? (Before 0.7.0 it keeps events from its first connection on: follow it soon after.)",
    true,
  );
  const checks = await examineNow(context, prompts, asks ? leader : null, data);
  if (verdictOf(checks) === "fail") {
    const goesOn = await prompts.confirm("Something is in the way. Print the commands?", false);
    if (!goesOn) {
      prompts.outro(`armdb doctor ${shellWord(leader)} --data ${shellWord(data)} looks again`);
      return 1;
    }
  }
  const http = (await prompts.confirm(`Metrics and health on http://${HTTP_ADDRESS}?`, true))
    ? HTTP_ADDRESS
    : null;
  const form = await prompts.select("How will it run?", [
    { value: "service", label: "as a systemd service", hint: "prints a hardened unit" },
    { value: "shell", label: "from a shell", hint: "prints the command line" },
  ]);
  prompts.outro(form === "service" ? "The unit, and how to start it:" : "The command line:");
  const facts = { executable: executablePath(), leader, data, http, user: SERVICE_USER };
  printCommand(context.out, facts);
  if (form === "service") printService(context.out, facts);
  return 0;
}

async function examineNow(
  { out, disk, net, clock, stop }: WizardContext,
  prompts: Prompts,
  leader: string | null,
  data: string,
): Promise<Check[]> {
  prompts.step(leader === null ? "looking at this machine" : "looking, at most 10 s");
  const checks = await examine({ leader, data, disk, net, clock, stop });
  const open = checks.filter((check) => check.result !== "ok");
  const passed = `${checks.length - open.length} of ${checks.length} checks passed`;
  // The frame of a note takes some columns.
  const lines = checkLines(open, Math.max(40, out.columns - 8), out.palette);
  prompts.note([passed, ...lines].join("\n"), "doctor");
  return checks;
}

function checkLeader(text: string): string | null {
  return parseAddress(text) === null ? "host:port, such as db.example:7400 or [::1]:7400" : null;
}

function checkDirectory(text: string): string | null {
  return text.trim() === "" ? "a directory, there or not" : null;
}

type Facts = Parameters<typeof systemdUnit>[0];

function printCommand(out: Output, facts: Facts): void {
  out.line(["armdb", ...replicateWords(facts).map(shellWord)].join(" "));
}

function printService(out: Output, facts: Facts): void {
  const data = shellWord(facts.data);
  out.line("");
  out.line(`useradd --system --shell /usr/sbin/nologin ${facts.user}`);
  out.line(`install -d -o ${facts.user} -g ${facts.user} -m 0700 ${data}`);
  out.line("cat > /etc/systemd/system/armdb.service <<'END'");
  out.line(systemdUnit(facts).trimEnd());
  out.line("END");
  out.line("systemctl daemon-reload && systemctl enable --now armdb");
  out.line(`armdb status ${data}`);
}

/** The executable itself; a usual place when run from source. */
function executablePath(): string {
  return import.meta.url.includes("$bunfs") ? process.execPath : "/usr/local/bin/armdb";
}
