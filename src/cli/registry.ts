// Every command, in the order in which help lists them. Each is loaded when it is run or its table is needed, so that
// `armdb status` does not wait for the code of `armdb repair`.

import type { RegistryEntry } from "./command.ts";
import type { CommandSpec } from "./words/spec.ts";

export const REGISTRY: readonly RegistryEntry[] = [
  {
    name: "replicate",
    load: async () => (await import("./commands/replicate.ts")).replicateCommand,
  },
  {
    name: "status",
    load: async () => (await import("./commands/status.ts")).statusCommand,
  },
  {
    name: "inspect",
    load: async () => (await import("./commands/inspect.ts")).inspectCommand,
  },
  {
    name: "inspect shard",
    load: async () => (await import("./commands/inspect-shard.ts")).inspectShardCommand,
  },
  {
    name: "inspect slot",
    load: async () => (await import("./commands/inspect-slot.ts")).inspectSlotCommand,
  },
  {
    name: "inspect key",
    load: async () => (await import("./commands/inspect-key.ts")).inspectKeyCommand,
  },
  {
    name: "inspect cursor",
    load: async () => (await import("./commands/inspect-cursor.ts")).inspectCursorCommand,
  },
  {
    name: "verify",
    load: async () => (await import("./commands/verify.ts")).verifyCommand,
  },
  {
    name: "verify-cursor",
    load: async () => (await import("./commands/verify-cursor.ts")).verifyCursorCommand,
  },
  {
    name: "compare",
    load: async () => (await import("./commands/compare.ts")).compareCommand,
  },
  {
    name: "repair",
    load: async () => (await import("./commands/repair.ts")).repairCommand,
  },
  {
    name: "serve",
    load: async () => (await import("./commands/serve.ts")).serveCommand,
  },
  {
    name: "doctor",
    load: async () => (await import("./commands/doctor.ts")).doctorCommand,
  },
  {
    name: "completion",
    load: async () => (await import("./commands/completion.ts")).completionCommand(loadSpecs),
  },
  { name: "man", load: async () => (await import("./commands/man.ts")).manCommand(loadSpecs) },
  {
    name: "config",
    load: async () => (await import("./commands/config.ts")).configCommand(loadSpecs),
  },
  {
    name: "version",
    load: async () => (await import("./commands/version.ts")).versionCommand,
  },
  { name: "help", load: async () => (await import("./commands/help.ts")).helpCommand(loadSpecs) },
];

/** The tables of all commands, in the registry's order. */
export async function loadSpecs(): Promise<CommandSpec[]> {
  const commands = await Promise.all(REGISTRY.map((entry) => entry.load()));
  return commands.map((command) => command.spec);
}
