// Whether a connection carries the live stream, as the model's leader knows it, against what the machine says of it.

import type { Main } from "../../../src/replica/machine/types.ts";
import type { ModelLink } from "./model-link.ts";
import { hold } from "./properties.ts";

export class StreamTruth {
  /** The leader's process behind the last connection that was past its CaughtUp. */
  #lostWith = 0;

  /** A connection is never live without the stream, however late everything comes. */
  look(main: Main, link: ModelLink | undefined): void {
    if (!("stream" in main) || main.stream.is !== "live") return;
    hold("stream", link?.hasStream === true, "live without a stream");
  }

  /** The main connection ended, as `main` was by then. */
  lost(main: Main, { incarnation }: ModelLink): void {
    if ("stream" in main) this.#lostWith = incarnation;
  }

  /** The machine says that the leader is a new process. */
  restarted(link: ModelLink | undefined): void {
    const isNew = link !== undefined && link.incarnation > this.#lostWith;
    hold("stream", isNew, "says that the leader is a new process");
  }

  /** Without faults both are told apart. */
  settled(main: Main, link: ModelLink | undefined): void {
    const is = "stream" in main ? main.stream.is : main.at;
    const hasStream = link?.hasStream === true;
    hold("stream", is === (hasStream ? "live" : "polling"), `${is}, with a stream: ${hasStream}`);
  }
}
