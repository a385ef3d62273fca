// One run of armdb: words in, exit status out. Finds the command, settles its options, gives it a context, and turns
// whatever it throws into last words and a status. Never ends the process: main.ts does.

import { Stopped } from "../audit/stopped.ts";
import { ArmdbError } from "../errors.ts";
import type { Clock, RandomSource } from "../io/clock.ts";
import { type Disk, DiskError } from "../io/disk.ts";
import type { Net } from "../io/net.ts";
import { nameArguments, readArguments } from "./words/arguments.ts";
import { type Command, type Context, type RegistryEntry, signalStatus } from "./command.ts";
import { type ConfigReader, configPaths, readConfig } from "./words/config-file.ts";
import { restoreCursor } from "./surface/display.ts";
import { explain, failureLines, failureObject } from "./surface/failure.ts";
import { commandLines, overviewLines } from "./pages/help.ts";
import { resolveOptions, type Surroundings } from "./words/precedence.ts";
import { createParsedArguments, type ParsedArguments } from "./words/settled.ts";
import type { CommandSpec } from "./words/spec.ts";
import { loadSpecs, REGISTRY } from "./registry.ts";
import { misspeltChild, route } from "./route.ts";
import { createStopControl, type StopControl, type StopSignal } from "./signals.ts";
import { Interrupted } from "./surface/terminal.ts";
import {
  canPrompt,
  createVoice,
  guessManner,
  mannerOf,
  type Streams,
  type Voice,
} from "./voice.ts";

/** The process and the machine below it, passed in so that tests can stand in for them. */
export interface Machine {
  readonly streams: Streams;
  /** Words after the program's name. */
  readonly argv: readonly string[];
  readonly disk: Disk;
  readonly net: Net;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly readConfigText: ConfigReader;
  /** Lets signals reach the control; returns what ends that. */
  listen(control: StopControl): () => void;
  /** Ends the process at once. */
  endNow(status: number): void;
}

/** Runs the command line and returns its exit status. Never throws. */
export async function runArmdb(machine: Machine): Promise<number> {
  const run = new Run(machine);
  return await run.finish();
}

class Run {
  readonly #machine: Machine;
  #voice: Voice;
  readonly #control: StopControl;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#control = createStopControl({
      announce: (name) => this.#voice.messages.info(stopText(name, machine.streams)),
      endNow: (status) => {
        // No word here may wait: the process ends now.
        if (!machine.streams.stderr.isBehind) {
          this.#voice.display?.end();
          this.#voice.out.endDrawing();
          restoreCursor(machine.streams.stderr);
        }
        machine.endNow(status);
      },
    });
    const { streams, argv } = machine;
    this.#voice = createVoice(streams, guessManner(argv, streams.env), this.#control.signal);
  }

  async finish(): Promise<number> {
    const stopListening = this.#machine.listen(this.#control);
    try {
      const status = await this.#start();
      this.#close();
      return status;
    } catch (thrown) {
      return this.#fail(thrown);
    } finally {
      stopListening();
    }
  }

  async #start(): Promise<number> {
    const { argv } = this.#machine;
    const target = await route(argv, REGISTRY);
    switch (target.kind) {
      case "overview":
        return await this.#overview(0);
      case "nothing":
        if (canPrompt(this.#machine.streams)) return await this.#setUp();
        return await this.#overview(2);
      case "command":
        return await this.#command(target.entry, target.words);
    }
  }

  async #overview(status: 0 | 2): Promise<number> {
    const { out, messages } = this.#voice;
    const specs = await loadSpecs();
    if (status === 0) {
      for (const line of overviewLines(specs, out)) out.line(line);
    } else {
      for (const line of overviewLines(specs, messages)) messages.page(line);
      if (this.#voice.manner.json) {
        const hint = "armdb help lists the commands";
        messages.object(failureObject(new ArmdbError("usage", "There is no command", { hint })));
      }
    }
    return status;
  }

  /** Without a command on a terminal: the steps of setting up a follower. */
  async #setUp(): Promise<number> {
    const { setUpFollower } = await import("./commands/wizard.ts");
    const { disk, net, clock } = this.#machine;
    const stop = this.#control.signal;
    return await setUpFollower({ out: this.#voice.out, disk, net, clock, stop });
  }

  async #command(entry: RegistryEntry, words: readonly string[]): Promise<number> {
    const command = await entry.load();
    const given = readArguments(command.spec, words);
    if (given.options.some(({ option, text }) => option.name === "help" && text === "true")) {
      const { out } = this.#voice;
      for (const line of commandLines(command.spec, out)) out.line(line);
      return 0;
    }
    const context = await this.#contextOf(command, given);
    return await command.run(context);
  }

  async #contextOf(command: Command, given: ReturnType<typeof readArguments>): Promise<Context> {
    const { streams, disk, net, clock, random } = this.#machine;
    const around = await surroundingsOf(given, streams.env, this.#machine.readConfigText);
    const resolved = resolveOptions(command.spec, given.options, around);
    if (given.positionals.length > command.spec.arguments.length) {
      const misspelt = misspeltChild(command.spec.name, given.positionals, REGISTRY);
      if (misspelt !== null) throw misspelt;
    }
    const positionals = nameArguments(command.spec, given.positionals);
    const args = createParsedArguments(positionals, resolved);
    this.#voice = createVoice(streams, mannerOf(args), this.#control.signal);
    if (runsOn(command.spec, args)) neverWait(streams, this.#voice);
    const { out, messages, manner } = this.#voice;
    const stop = this.#control.signal;
    const { env } = streams;
    const { json } = manner;
    const droppedLines = () => streams.stdout.droppedLines + streams.stderr.droppedLines;
    return {
      ...{ args, out, messages, disk, net, clock, random, stop, env, json, around },
      droppedLines,
    };
  }

  /** Brings everything out that was said; a stdout that could not take it is a failure of the command. */
  #close(): void {
    const { out, display } = this.#voice;
    display?.end();
    out.flush();
    if (out.failure !== null) throw new DiskError("write to", "stdout", out.failure);
  }

  #fail(thrown: unknown): number {
    const { out, display } = this.#voice;
    display?.end();
    out.flush();
    const { signal } = this.#control;
    if (signal.aborted && isAbort(thrown, signal)) return signalStatus(signal.reason);
    if (thrown instanceof Interrupted) return signalStatus("SIGINT");
    return tellFailure(this.#voice, thrown);
  }
}

function runsOn({ runsOn }: CommandSpec, args: ParsedArguments): boolean {
  return runsOn === "always" || (runsOn !== undefined && args.flag(runsOn.flag));
}

/** From here on the command goes on whether anybody reads what it says or not. */
function neverWait({ stdout, stderr }: Streams, { out, messages, manner }: Voice): void {
  const dropped = (lines: number) => `${JSON.stringify({ schema: 1, type: "dropped", lines })}\n`;
  stdout.neverWait({
    notice: manner.json ? dropped : (lines) => messages.droppedNotice(lines),
    gone: (errno) => out.ended(errno),
  });
  stderr.neverWait({ notice: (lines) => messages.droppedNotice(lines), gone: () => {} });
}

function stopText(name: StopSignal, { stderr }: Streams): string {
  if (!stderr.isTerminal) return `stopping: ${name}`;
  return "Stopping cleanly. Press Ctrl-C again to quit immediately.";
}

/** Says why the run failed, to people and to scripts as they asked for it. Returns the exit status. */
export function tellFailure({ messages, manner }: Voice, thrown: unknown): number {
  const error = explain(thrown);
  if (messages.format === "text") {
    const style = { palette: messages.palette, verbose: manner.verbose };
    for (const line of failureLines(error, style)) messages.raw(line);
  }
  if (manner.json || messages.format === "json") messages.object(failureObject(error));
  return error.exitStatus;
}

/** What may set options besides the command line: the files are read only when there are any. */
async function surroundingsOf(
  given: ReturnType<typeof readArguments>,
  env: Streams["env"],
  readText: ConfigReader,
): Promise<Surroundings> {
  const written = given.options.findLast(({ option }) => option.name === "config")?.text;
  const named = written ?? (env["ARMDB_CONFIG"] || null);
  const files = [];
  for (const path of configPaths(named, env)) {
    const file = await readConfig(path, readText, loadSpecs);
    if (file !== null) files.push(file);
    else if (named !== null) {
      throw new ArmdbError("usage", `There is no config file "${path}"`, {
        path,
        hint: "armdb config shows which files are read when none is named",
      });
    }
  }
  return { env, files };
}

/** True for what a stopped wait throws: the signal's reason, Stopped, a question's Interrupted, an AbortError. */
function isAbort(thrown: unknown, signal: AbortSignal): boolean {
  if (thrown === signal.reason) return true;
  if (thrown instanceof Stopped || thrown instanceof Interrupted) return true;
  return thrown instanceof Error && thrown.name === "AbortError";
}
