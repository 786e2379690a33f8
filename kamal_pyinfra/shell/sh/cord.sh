# The cord: a file in a folder that the container mounts. While it is there, the container can become healthy.
#
# A process in a container that mounts the folder writable (Kamal mounts it so) may put a link in place of a file. So
# nothing in there is ever opened: files are made beside the folder, where no container gets, and renamed. `mv -T` takes
# a link to a folder for what it is, and both GNU and busybox have it.

# DIRECTORY. Makes the folder of a cord that is tied later, for a process of any user.
leave_cord_untied() (
  umask 022
  mkdir -p "$1" && { chmod 755 "$1" || :; }
)

# DIRECTORY. A folder in place of the cord is one that the container made, and its own check takes it for a cord.
tie_cord() (
  umask 022
  leave_cord_untied "$1" && { rm -f "$1/standby" || :; } && : > "$1.cord" || exit
  mv -fT "$1.cord" "$1/cord" && exit
  rm -f "$1.cord"
  [ -d "$1/cord" ]
)

# DIRECTORY. The container notices at once when its cord is cut, not at its next health check. That ends by itself after a
# minute, so nothing has to be undone when the run ends early; the boot of other roles begins it anew.
stand_by() {
  [ ! -e "$1/cord" ] || (
    umask 022
    { echo "$(($(date +%s) + 60))" > "$1.standby" && mv -fT "$1.standby" "$1/standby"; } || rm -f "$1.standby"
  ) 2> /dev/null || :
}

# DIRECTORY. The container becomes unhealthy, so that the proxy drops it. Only the file goes: with the directory (as Kamal
# does) the mount would be dead and could not be tied again. What the container has put in its place may stay; then the
# container is healthy still, and that is waited for no longer than for any.
cut_cord() { rm -f "$1/cord" "$1/standby" || :; }
