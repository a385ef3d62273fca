// Machines on which a replica runs already, as docs/operating.md sets them up: for blocks that are looked up, and do not follow
// from the page's first steps.

import type { Place } from "./places.ts";

/** `replica`: at rest; `damaged`: with a changed byte; `live`: followed by the service, which is ready. */
export type Contents = "replica" | "damaged" | "live";

const REPLICA = "/var/lib/armdb/replica";
const MACHINE = `install -m 755 dist/armdb /usr/local/bin/armdb
useradd --system --home-dir /var/lib/armdb --shell /usr/sbin/nologin armdb
install -d -m 0700 -o armdb -g armdb /var/lib/armdb`;
const SERVICE = `install -m 644 contrib/armdb-replicate.service /etc/systemd/system/armdb-replicate.service
mkdir /etc/systemd/system/armdb-replicate.service.d
cat >/etc/systemd/system/armdb-replicate.service.d/leader.conf <<'EOF'
[Service]
ExecStart=
ExecStart=/usr/local/bin/armdb replicate db1.example:7400 --data ${REPLICA} --http 127.0.0.1:9407
EOF
systemctl enable --now armdb-replicate`;

/** Makes a first copy of the leader in a place, and says where. */
export async function makeReplica(place: Place): Promise<string> {
  const follow = `sudo -u armdb armdb replicate db1.example:7400 --data ${REPLICA} --once`;
  await succeed(place, `${MACHINE}\n${follow}`);
  return place.path(REPLICA);
}

/** `replica` is a directory to copy. */
export async function prepare(place: Place, contents: Contents, replica: string): Promise<void> {
  await succeed(place, MACHINE);
  place.bring(replica, REPLICA);
  if (contents === "damaged") place.damage(REPLICA);
  await succeed(place, `chown -R armdb:armdb ${REPLICA}`);
  if (contents === "live") await succeed(place, SERVICE);
}

/** The user of a program that was there before armdb was. */
export async function addUser(place: Place, name: string): Promise<void> {
  await succeed(place, `useradd --system --home-dir /var/lib/${name} ${name}`);
}

async function succeed(place: Place, text: string): Promise<void> {
  const { status, output } = await place.run(text);
  if (status !== 0) throw new Error(`a place could not be prepared: ${output}`);
}
