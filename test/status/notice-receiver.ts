// Plays the service manager: a datagram socket at a path or an abstract name (`@...`), in a Python process, as the runtime has
// none. Every notice comes back as one JSON line.

const SCRIPT = `
import json, socket, sys
name, deaf = sys.argv[1], sys.argv[2] == "deaf"
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\\0" + name[1:] if name.startswith("@") else name)
print(json.dumps("up"), flush=True)
while not deaf:
    print(json.dumps(receiver.recv(65536).decode()), flush=True)
sys.stdin.read()
`;

const LIMIT_MS = 20_000;

export class NoticeReceiver implements AsyncDisposable {
  readonly name: string;
  readonly notices: string[] = [];
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  #wake: (() => void) | null = null;
  #isUp = false;

  private constructor(name: string, isDeaf: boolean) {
    this.name = name;
    this.#child = Bun.spawn(["python3", "-c", SCRIPT, name, isDeaf ? "deaf" : "listening"], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    void this.#read();
  }

  /** Resolves once it listens. */
  static async start(name: string, isDeaf = false): Promise<NoticeReceiver> {
    const receiver = new NoticeReceiver(name, isDeaf);
    await receiver.until(() => receiver.#isUp);
    return receiver;
  }

  /** Every line of all notices. */
  get words(): string[] {
    return this.notices.flatMap((notice) => notice.split("\n"));
  }

  /** Waits until what has come passes. */
  async until(passes: (notices: readonly string[]) => boolean): Promise<void> {
    const deadline = setTimeout(() => this.#wake?.(), LIMIT_MS);
    const endMs = performance.now() + LIMIT_MS;
    while (!passes(this.notices)) {
      if (performance.now() >= endMs || this.#child.exitCode !== null) {
        throw new Error(`the notices did not come: ${JSON.stringify(this.notices)}`);
      }
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
    clearTimeout(deadline);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of this.#child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const notice = JSON.parse(line) as string;
        if (this.#isUp) this.notices.push(notice);
        this.#isUp = true;
      }
      this.#wake?.();
    }
    this.#wake?.();
  }
}
