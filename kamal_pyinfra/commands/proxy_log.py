"""What the proxy has logged, as `docker logs` prints it, but read from Docker's own file where the user may do so.

`docker logs` takes a twentieth of a second and a good part of a processor; to read the end of a file takes next to
nothing, so that it can be looked at twenty times a second. The file of the driver ``json-file`` (the default, and
what kp and Kamal 1.9 set) holds an object for each line, or several for one of more than 16 kB: only the last of
these ends with a line feed (https://docs.docker.com/engine/logging/drivers/json-file). It is only ever read.
"""

from __future__ import annotations

from kamal_pyinfra.naming import PROXY_CONTAINER

FIRST_LINES = 30
"""Traefik names its version among them, at every level that tells what it routes to."""

PROXY_LOG = f"""note_log() {{
  log=${{1%% \\[*}}; logged=0
  case "$log" in
    /*-json.log) [ -r "$log" ] && logged=$(wc -c < "$log") || log= ;;
    *) log= ;;
  esac
  size=$logged
}}
has_grown() {{ before=$size; size=$(wc -c < "$log"); [ "$size" != "$before" ]; }}
proxy_log() {{
  if [ -z "$log" ]; then docker logs --tail "$1" --since "$noted" {PROXY_CONTAINER} 2>&1
  elif [ -z "$logged" ] && [ "$1" != all ]; then tail -n "$1" "$log"
  else
    [ "${{logged:-0}}" -le "$(wc -c < "$log")" ] || logged=0
    tail -c "+$(( ${{logged:-0}} + 1 ))" "$log"
  fi
}}
reaches_back() {{
  {{
    if [ -n "$log" ]; then head -n {FIRST_LINES} "$log"
    else docker logs --timestamps {PROXY_CONTAINER} 2>&1 | head -n {FIRST_LINES}; fi
  }} | awk -v since="$1" '
    NR == 1 {{
      at = $1; if (match($0, /"time":"[^"]*"[}}]$/)) at = substr($0, RSTART + 8, 19)
      if (substr(at, 1, 19) <= substr(since, 1, 19)) is_whole = 1
    }}
    /Traefik version / {{ is_whole = 1 }}
    END {{ exit NR == 0 || is_whole ? 0 : 1 }}'
}}
"""
"""``note_log`` is given the path and what follows it, and remembers how long the file was; one that is shorter later
was begun anew. ``reaches_back`` is given a time as Docker writes it, and exits 1 if what was logged then may be gone:
Docker begins a full file anew (``max-size``), and keeps none of those before unless it is told to. With ``logged``
empty, so many lines at its end are read. ``has_grown`` costs one process, to read the new lines six."""

# A backslash that was one stands aside while the others are taken away.
UNWRAP = r"""wrapped != "" {
      end = index($0, "\",\"stream\":\"")
      if (substr($0, 1, 8) != "{\"log\":\"" || !end) next
      text = substr($0, 9, end - 9); gsub(/\\\\/, "\001", text); line = line text
      if (substr(text, length(text) - 1) != "\\n") next
      $0 = line; line = ""
      gsub(/\\"/, "\""); gsub(/\\u001b/, "\033"); gsub(/\\u003c/, "<"); gsub(/\\u003e/, ">")
      gsub(/\\u0026/, "\\&"); gsub(/\001/, "\\\\")
    }"""
"""A rule for ``awk`` that comes before others: objects of the file → lines, where ``wrapped`` is not empty. An object
that is not written wholly yet is none."""
