# The users of a place, for the stand-ins beside this file: its /etc/passwd. A name that is not there is an error, as anywhere.
place=$(cd "${0%/*}/.." && pwd -P)
passwd=$place/root/etc/passwd

# field NAME N: the Nth field of a user's line.
field() {
	awk -F: -v name="$1" -v n="$2" '$1 == name { print $n; found = 1 } END { exit !found }' "$passwd"
}

# number USER 3, number GROUP 4: the number of a name. A group has the name of its user.
number() {
	case $1 in
	*[!0-9]*) field "$1" "$2" || {
		echo "${0##*/}: invalid name: '$1'" >&2
		return 1
	} ;;
	*) echo "$1" ;;
	esac
}

# inside PATH ...: refuses what lies outside the place, where root would change the machine that runs the test.
inside() {
	for path do
		case $(realpath -m -- "$path") in
		"$place"/*) ;;
		*)
			echo "${0##*/}: '$path' is outside of the place" >&2
			return 1
			;;
		esac
	done
}
