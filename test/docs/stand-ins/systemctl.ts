// systemctl of a place: hands its words to the service manager there (service-manager.ts), and ends as that says.

const [socket = "", ...words] = process.argv.slice(2);
const body = JSON.stringify(words);
const reply = await fetch("http://manager/", { method: "POST", unix: socket, body });
const { status, output } = (await reply.json()) as { status: number; output: string };
process.stdout.write(output);
process.exit(status);

export {};
