# Sourced by the scripts of this folder, which run with sh: goes to the project's root, brings the dependencies that
# bun.lock names, and puts the pinned Bun first on PATH. Needs Bun >= 1.4.5, or Node >= 20 with npm; nothing else.

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root" || exit 1

bun_works() {
	version=$("$1" --version 2>/dev/null) || return 1
	printf '%s\n' "$version" | awk -F'[.-]' '
		{ exit !($1 > 1 || ($1 == 1 && ($2 > 4 || ($2 == 4 && $3 >= 5)))) }'
}

fail() {
	printf '%s\n' "$1" >&2
	exit 1
}

stamp=$(cat package.json bun.lock | cksum)
if [ "$(cat node_modules/.stamp 2>/dev/null)" != "$stamp" ]; then
	if ! bun_works bun; then
		command -v npm >/dev/null 2>&1 ||
			fail "This needs Bun 1.4.5 or later, or Node 20 or later with npm; neither is on PATH."
		echo "Bringing Bun by npm ..." >&2
		# The install script is run by hand: npm may be told to run none.
		npm install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
			fail "npm install failed"
		node node_modules/bun/install.js >&2 || fail "Bun could not be installed"
		PATH="$root/node_modules/.bin:$PATH"
	fi
	echo "Installing what bun.lock names ..." >&2
	bun install --frozen-lockfile >&2 || fail "bun install failed"
	printf '%s\n' "$stamp" >node_modules/.stamp
fi
if bun_works "$root/node_modules/.bin/bun"; then
	PATH="$root/node_modules/.bin:$PATH"
fi
export PATH
