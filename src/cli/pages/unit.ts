// The systemd unit of a follower: hardened as far as Bun allows. Used by the set-up wizard and by the unit file in the
// repository. Pure.

/** What differs between one follower's unit and the next. */
export interface UnitFacts {
  /** Absolute path of the executable. */
  readonly executable: string;
  readonly leader: string;
  /** Absolute path of the data directory. */
  readonly data: string;
  /** `127.0.0.1:9407`, or null without metrics. */
  readonly http: string | null;
  readonly user: string;
}

/** Words of the command line that follows the leader. */
export function replicateWords(facts: Pick<UnitFacts, "leader" | "data" | "http">): string[] {
  const http = facts.http === null ? [] : ["--http", facts.http];
  return ["replicate", facts.leader, "--data", facts.data, ...http];
}

/** The text of the unit file. */
export function systemdUnit(facts: UnitFacts): string {
  const words = [facts.executable, ...replicateWords(facts)].map(systemdWord);
  // A directory below /home or /tmp would be hidden from the service.
  const hideHome = /^\/(home|root|run\/user)(\/|$)/.test(facts.data) ? "read-only" : "yes";
  const hideTemporary = /^\/(var\/)?tmp(\/|$)/.test(facts.data) ? "no" : "yes";
  return `[Unit]
Description=armdb follower of ${systemdText(facts.leader)}
Documentation=man:armdb(1)
Wants=network-online.target
After=network-online.target

[Service]
# READY=1 comes when every shard has caught up: that may take long, and is no failure.
Type=notify
NotifyAccess=main
TimeoutStartSec=infinity
ExecStart=${words.join(" ")}
# A usage error or a leader of another format does not get better by itself.
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2 13
# Fed by real progress, not by a timer.
WatchdogSec=60
TimeoutStopSec=60
KillMode=mixed

User=${systemdText(facts.user)}
Group=${systemdText(facts.user)}
UMask=0077
ReadWritePaths=${systemdWord(facts.data)}
LimitNOFILE=4096
# What could make the runtime run other code than armdb's.
UnsetEnvironment=BUN_BE_BUN BUN_OPTIONS BUN_INSPECT NODE_OPTIONS NODE_EXTRA_CA_CERTS LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=${hideHome}
PrivateTmp=${hideTemporary}
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# Not possible: MemoryDenyWriteExecute=yes, as Bun's JIT, which the file calls need, writes code.
# Left out on purpose: ProtectProc=, PrivatePIDs=, as other writers of the directory are looked for in /proc.

[Install]
WantedBy=multi-user.target
`;
}

/** A word of ExecStart= or of a list of paths. */
function systemdWord(text: string): string {
  const escaped = systemdText(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  const safe = escaped.replaceAll("$", "$$$$");
  return /^[A-Za-z0-9@%+=:,./_[\]-]+$/.test(safe) ? safe : `"${safe}"`;
}

/** Text in which systemd finds no specifier and no second line. */
function systemdText(text: string): string {
  return text.replaceAll("%", "%%").replace(/[\r\n]/g, " ");
}
