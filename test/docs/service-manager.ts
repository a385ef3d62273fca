// The service manager of a place: what systemctl there asks for, on units that lie in the place. It listens at a socket, as
// systemctl is a process of its own, and everything that it started ends with it.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Ran } from "./kept.ts";
import { Service } from "./service.ts";
import { readUnit, type Unit } from "./unit-file.ts";
import type { Users } from "./users.ts";

/** How long a start may take before it counts as one that waits for ever. */
const READY_LIMIT_MS = 60_000;
const UNITS = "etc/systemd/system";
const NOT_THERE_STATUS = 5;
const NOT_ACTIVE_STATUS = 3;
const FAILURES = {
  exit: "the control process exited with error code",
  timeout: "a timeout was exceeded",
} as const;

export interface ServiceManagerOptions {
  /** What `/` is to the units. */
  readonly root: string;
  readonly users: Users;
  readonly env: Readonly<Record<string, string>>;
  /** Puts the paths and addresses of the place into the words of a unit. */
  readonly localised: (text: string) => string;
  readonly readyLimitMs?: number;
}

export class ServiceManager implements AsyncDisposable {
  readonly #options: ServiceManagerOptions;
  readonly #services = new Map<string, Service>();
  /** Read before the last daemon-reload. */
  readonly #stale = new Set<string>();
  #server: Bun.Server<undefined> | null = null;

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
  }

  /** Takes the words of systemctl at a socket of this path. */
  listen(path: string): void {
    this.#server = Bun.serve({
      unix: path,
      fetch: async (request, server) => {
        // A start may take long, and says nothing meanwhile.
        server.timeout(request, 0);
        return Response.json(await this.run((await request.json()) as string[]));
      },
    });
  }

  service(name: string): Service | null {
    return this.#services.get(name) ?? null;
  }

  /** Does what `systemctl WORDS` does. */
  async run(words: readonly string[]): Promise<Ran> {
    const options = words.filter((word) => word.startsWith("-"));
    const [verb = "", name = "", ...more] = words.filter((word) => !word.startsWith("-"));
    const unknown = options.find((word) => !["--now", "--no-block", "--quiet"].includes(word));
    if (unknown !== undefined || more.length > 0)
      return failed(1, `systemctl: the stand-in does not know ${unknown ?? more[0]}`);
    if (verb === "daemon-reload") {
      for (const known of this.#services.keys()) this.#stale.add(known);
      return done();
    }
    try {
      return await this.#act(verb, name.replace(/\.service$/, ""), new Set(options));
    } catch (thrown) {
      return failed(NOT_THERE_STATUS, thrown instanceof Error ? thrown.message : String(thrown));
    }
  }

  async #act(verb: string, name: string, options: ReadonlySet<string>): Promise<Ran> {
    const service = this.#loaded(name);
    const isNow = options.has("--now");
    switch (verb) {
      case "enable":
        if (!service.unit.isInstallable) return failed(1, `${name}.service has no [Install]`);
        return isNow ? await this.#start(name, service, options) : done();
      case "start":
        return await this.#start(name, service, options);
      case "restart":
        await service.stop();
        return await this.#start(name, this.#loaded(name), options);
      case "disable":
      case "stop":
        if (verb === "stop" || isNow) await service.stop();
        return done();
      case "is-active":
        return {
          status: service.state === "active" ? 0 : NOT_ACTIVE_STATUS,
          output: options.has("--quiet") ? "" : `${service.state}\n`,
        };
      case "status":
        return {
          status: service.state === "active" ? 0 : NOT_ACTIVE_STATUS,
          output: statusText(name, service),
        };
      default:
        return failed(1, `Unknown command verb ${verb}.`);
    }
  }

  async #start(name: string, service: Service, options: ReadonlySet<string>): Promise<Ran> {
    service.start();
    if (options.has("--no-block")) return done();
    const failure = await service.started(this.#options.readyLimitMs ?? READY_LIMIT_MS);
    if (failure === null) return done();
    const why = `Job for ${name}.service failed because ${FAILURES[failure]}.`;
    return failed(1, `${why}\n${statusText(name, service)}`);
  }

  /** As it was read first: a change of its files counts after a daemon-reload, from the next start on. */
  #loaded(name: string): Service {
    const known = this.#services.get(name);
    const isAtRest = known?.state === "inactive" || known?.state === "failed";
    if (known !== undefined && !(isAtRest && this.#stale.has(name))) return known;
    this.#stale.delete(name);
    const { root, users, env, localised } = this.#options;
    const unit = readUnits(root, name);
    const user = users.named(unit.user);
    if (user === null) throw new Error(`${name}.service: there is no user ${unit.user}`);
    const words = unit.words.map(localised);
    const service = new Service({ ...unit, words }, user, root, env);
    this.#services.set(name, service);
    return service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.stop()));
    await this.#server?.stop(true);
  }
}

function readUnits(root: string, name: string): Unit {
  const path = join(root, UNITS, `${name}.service`);
  if (!existsSync(path)) throw new Error(`Unit ${name}.service not found.`);
  const dropIns = `${path}.d`;
  const names = existsSync(dropIns) ? readdirSync(dropIns).sort() : [];
  const paths = names.filter((each) => each.endsWith(".conf")).map((each) => join(dropIns, each));
  return readUnit([path, ...paths].map((each) => readFileSync(each, "utf8")));
}

function statusText(name: string, service: Service): string {
  const { state, pid, statusText, journal, starts } = service;
  return `${name}.service
     Active: ${state}
   Main PID: ${pid ?? "-"}, started ${starts} times
     Status: "${statusText}"
${journal}`;
}

function done(): Ran {
  return { status: 0, output: "" };
}

function failed(status: number, why: string): Ran {
  return { status, output: `${why}\n` };
}
