# What a host is sent on standard input, which counts only when all of it came. A host cannot tell the end of what it is
# sent from the end of a connection, so its length in bytes goes before it, on a line of its own.

# WHAT
cut_short() {
  echo "$1: the connection ended before all of it had come; nothing was changed" >&2
  exit 1
}

# DRAFT PROGRAM… The length is that of what the program makes of it. Nobody else may be able to write to the draft.
receive() {
  draft=$1
  shift
  read -r length && "$@" > "$draft" && [ "$(wc -c < "$draft")" -eq "$length" ]
}

# PATH. Nobody else can read the file at any instant, and it comes all at once. A draft that is already there may be open to
# others, and stays so when it is written to.
write_secret() (
  umask 077
  rm -f "$1.tmp"
  receive "$1.tmp" cat || {
    rm -f "$1.tmp"
    cut_short "$1"
  }
  mv -f "$1.tmp" "$1"
)

# MESSAGE
stop_upload() {
  rm -f "$draft" "$same"
  [ -z "$1" ] || echo "$upload: $1" >&2
  exit 1
}

# PATH NAME BASE PART… of a file of an accessory, mode 755 (Kamal 1.9). It stays the same file, so that a container that
# mounts it sees the new content. The accessory may mount a folder on the way writable, and put a link there: so each step
# down is checked, and the file is written under a second name outside, which nobody can put anything else in place of.
# shellcheck disable=SC2015
write_upload() (
  umask 077
  upload=$1 file=$2 base=$3 draft=$PWD/.$3.upload same=$PWD/.$3.same
  shift 3
  rm -f "$draft" "$same"
  receive "$draft" base64 -d || {
    rm -f "$draft"
    cut_short "$upload"
  }
  umask 022
  mkdir -p "./$base" && cd -P "./$base" || stop_upload ''
  for part in "$@"; do
    [ -d "./$part" ] || mkdir "./$part" || stop_upload ''
    below=$PWD/$part
    cd -P "./$part" && [ "$PWD" = "$below" ] || stop_upload "$below is a link, maybe of a container; remove it"
  done
  chmod 755 "$draft"
  if ln "./$file" "$same" 2> /dev/null && [ -f "$same" ] && [ ! -L "$same" ]; then
    cat "$draft" > "$same" && chmod 755 "$same" || stop_upload ''
  else
    mv -fT "$draft" "./$file" || stop_upload ''
  fi
  rm -f "$draft" "$same"
)

# Variables of a command, as shell text that ends with what tells that it is whole.
receive_variables() {
  given=$(cat)
  case "$given" in *': kp-whole') ;; *) cut_short 'the variables of the command' ;; esac
  eval "$given"
}
