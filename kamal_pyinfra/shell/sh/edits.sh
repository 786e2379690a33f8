# Which files of its image a container changed: by its own layer where that can be read, else by `docker diff`. An app
# that keeps its uploads in its container has many files, and each is looked for in every layer. `not-listed` stands among
# the paths, or for all of them, where the list is not whole.

# CONTAINER → its size and where its own layer is, and where those of its image are.
read_layers() {
  layers=$(docker inspect --size --format '{{.SizeRw}}{{println}}{{with .GraphDriver.Data}}{{.UpperDir}}{{println}}{{.LowerDir}}{{end}}' "$1" 2> /dev/null)
  upper=$(echo "$layers" | sed -n 2p)
  lower=$(echo "$layers" | sed -n 3p)
}

# What the container added is in none of the layers below; what it removed was in one of them.
changed_in_layer() {
  (cd "$upper" && find . ! -type d) 2> /dev/null | cut -c2- | sed '10001{s/.*/not-listed/;q;}' |
    while IFS= read -r path; do
      if [ "$path" = not-listed ]; then
        echo "$path"
        break
      fi
      if [ -c "$upper$path" ]; then
        echo "$path"
        continue
      fi
      IFS=:
      for layer in $lower; do
        if [ -e "$layer$path" ] || [ -L "$layer$path" ]; then
          echo "$path"
          break
        fi
      done
    done
}

# CONTAINER. Folders appear too when something in them is new, so only what has nothing below it counts.
changed_by_docker() {
  { timeout 10 docker diff "$1" 2> /dev/null || echo "? not-listed"; } | awk '
    $1 == "?" { lost = $2; next }
    {
      path = substr($0, 3); kind[path] = $1
      for (at = path; match(at, "/[^/]*$") && RSTART > 1; folder[at] = 1) at = substr(at, 1, RSTART - 1)
    }
    END { if (lost) print lost; else for (path in kind) if (kind[path] != "A" && !(path in folder)) print path }'
}

# CONTAINER, of which the layers are read.
changed_files() {
  if [ -n "$lower" ] && [ -r "$upper" ] && [ -r "${lower%%:*}" ]; then
    changed_in_layer
  else
    changed_by_docker "$1"
  fi | LC_ALL=C sort
}

# CONTAINER NOTE
is_as_recorded() {
  {
    read -r size
    read -r upper
  } < "$2"
  if [ -n "$upper" ] && [ -r "$upper" ]; then
    [ -z "$(find "$upper" -cnewer "$2" 2> /dev/null | head -n 1)" ]
  else
    [ "$(docker inspect --size --format '{{.SizeRw}}' "$1" 2> /dev/null)" = "$size" ]
  fi
}

# FOLDER CONTAINER… For other containers nothing is kept. Beside the list stand size and place of the container's layer,
# read first: what is changed later is newer than that. What comes later goes by this file, so it comes into place last:
# half a list would be taken for a whole.
record_edits() {
  folder=$1
  shift
  if ! rm -rf "$folder" || ! mkdir -p "$folder"; then return 1; fi
  for name in "$@"; do
    read_layers "$name"
    echo "$layers" | head -n 2 > "$folder/$name.draft"
    changed_files "$name" > "$folder/$name" && mv -f "$folder/$name.draft" "$folder/$name.size"
  done
}

# FOLDER → `edited NAME PATH` for each file that was changed since it was recorded.
find_edits() {
  for sized in "$1"/*.size; do
    [ -f "$sized" ] || continue
    list=${sized%.size}
    name=${list##*/}
    is_as_recorded "$name" "$sized" && continue
    if grep -qx not-listed "$list"; then
      echo "edited $name not-listed"
      continue
    fi
    read_layers "$name"
    changed_files "$name" | LC_ALL=C comm -13 "$list" - | sed "s|^|edited $name |"
  done
}
