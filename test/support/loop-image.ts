// A disk that can lose power: an ext4 file system in an image file, mounted over a loop device in a mount namespace of its own.
// A cut is a copy of the image while whoever writes is stopped: what the system holds in memory is not in it. Programs run
// inside by way of `inside`; paths below `root` exist for them alone. Nothing is left behind: the mount goes with its holder.

import { lstatSync } from "node:fs";
import { mkdir } from "node:fs/promises";

/** Data stays in memory until somebody syncs it: the journal is committed every 1000 s only. */
const MOUNT_OPTIONS = "loop,commit=1000";

/** Keeps the mount namespace; ends with its stdin or by a signal. */
type Holder = Bun.Subprocess<"pipe", "ignore", "pipe">;

export class LoopImage implements AsyncDisposable {
  /** The image file. */
  readonly path: string;
  /** Where it is mounted, for programs inside. */
  readonly root: string;
  readonly #holder: Holder;

  private constructor(path: string, root: string, holder: Holder) {
    this.path = path;
    this.root = root;
    this.#holder = holder;
  }

  /** Whether images can be mounted here at all. */
  static available(): boolean {
    const needs = ["unshare", "nsenter", "mount", "mkfs.ext4"].every(
      (name) => Bun.which(name) !== null,
    );
    if (!needs || lstatSync("/dev/loop-control", { throwIfNoEntry: false }) === undefined)
      return false;
    const tried = `f=$(mktemp) && d=$(mktemp -d) && truncate -s 8M "$f" && mkfs.ext4 -q -F "$f" && mount -o loop "$f" "$d"
      status=$?; umount "$d"; rmdir "$d"; rm -f "$f"; exit $status`;
    return Bun.spawnSync(["unshare", "-m", "sh", "-c", tried]).exitCode === 0;
  }

  /** Makes an empty file system of so many MiB and mounts it. */
  static async create(path: string, mebibytes: number): Promise<LoopImage> {
    run(["truncate", "-s", `${mebibytes}M`, path]);
    run(["mkfs.ext4", "-q", "-F", path]);
    return LoopImage.mount(path);
  }

  /** Mounts an image as it is; its journal is replayed, as after a power cut. */
  static async mount(path: string): Promise<LoopImage> {
    const root = `${path}.mounted`;
    await mkdir(root);
    const script = `mount -o ${MOUNT_OPTIONS} "$0" "$1" && echo mounted >&2 && exec cat`;
    const holder = Bun.spawn(["unshare", "-m", "sh", "-c", script, path, root], {
      stdin: "pipe",
      stdout: "ignore",
      stderr: "pipe",
    });
    const said = await holder.stderr.getReader().read();
    if (!new TextDecoder().decode(said.value).startsWith("mounted")) {
      throw new Error(`cannot mount ${path}: ${new TextDecoder().decode(said.value)}`);
    }
    return new LoopImage(path, root, holder);
  }

  /** Words before a program's own that run it where the image is mounted. */
  get inside(): readonly string[] {
    return ["nsenter", "-m", "-t", String(this.#holder.pid)];
  }

  /** A path of the inside, as the outside reaches it. */
  reach(path: string): string {
    return `/proc/${this.#holder.pid}/root${path}`;
  }

  /** The power goes now: what a machine would find, as an image of its own. Stop the writers first. */
  cut(path: string): string {
    run(["cp", "--sparse=always", this.path, path]);
    return path;
  }

  /** Unmounts. Whoever runs inside has to be gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.exited;
  }
}

function run(words: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([...words]);
  if (exitCode !== 0) throw new Error(`${words.join(" ")}: ${stderr.toString()}`);
}
