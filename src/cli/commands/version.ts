// `armdb version`: what this executable is and which formats and protocols it speaks.

import { buildFacts } from "../build.ts";
import type { Command } from "../command.ts";

/** Versions of fixed.data headers that are read and written. */
const FORMATS = [2] as const;
/** Versions of the replication protocol. */
const PROTOCOLS = [1, 2] as const;

export const versionCommand: Command = {
  spec: {
    name: "version",
    summary: "version, commit, target, formats and protocols",
    description:
      "Format 2 is the disk format of crates 0.1.13 to 0.15.0. Protocol 1 is spoken by leaders up to 0.1.16, protocol 2 from 0.2.0.",
    arguments: [],
    options: [],
    examples: [
      { command: "armdb version", explains: "for people" },
      { command: "armdb version --json | jq -r .version", explains: "for scripts" },
    ],
    exits: [[0, "always"]],
    next: ["armdb doctor"],
  },
  async run({ out, json }) {
    const facts = buildFacts();
    if (json) {
      out.json({ schema: 1, ...facts, formats: FORMATS, protocols: PROTOCOLS });
      return 0;
    }
    out.line(`${out.palette.bold("armdb")} ${facts.version} (${facts.commit})`);
    out.line(`target     ${facts.target}, Bun ${facts.bun}`);
    out.line(`formats    ${FORMATS.join(", ")}`);
    out.line(`protocols  ${PROTOCOLS.join(", ")}`);
    return 0;
  },
};
