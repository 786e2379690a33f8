"""Sums over secrets, made on the host by ``awk``, so that no value has to leave it."""

from __future__ import annotations

from kamal_pyinfra.plan.secret_checks import FACTOR, FIRST, MODULUS, digest_lines

# 16 bits for each line tell which secret changed, and nothing more (plan/secret_checks.py has the same sum).
SUMS = f"""BEGIN {{ for (i = 1; i < 256; i++) byte[sprintf("%c", i)] = i }}
function sum(line, n, i) {{
  n = {FIRST}; for (i = 1; i <= length(line); i++) n = (n * {FACTOR} + byte[substr(line, i, 1)]) % {MODULUS}
  return n
}}
function say(kind, line, owner) {{
  if (index(line, "=")) print kind, sum(line), substr(line, 1, index(line, "=") - 1), owner
}}"""

# One process for all containers, for a look is mostly the start of processes.
_CONTAINERS = f"""printf '%s\\n' "$all" | LC_ALL=C sort | LC_ALL=C awk '{SUMS}
/^container / {{ print }}
/^clear / {{ print "clear-check", sum($3), $4, $2 }}
"""
CONTAINERS_AND_SUMS = f"{_CONTAINERS}'"
"""Prints what the template printed, with numbers for clear variables."""

# Nothing of a value is printed: what `sha256sum` reads comes through a pipe.
CONTAINERS_AND_SECRETS = f"""{_CONTAINERS}
/^mine / {{ ids[++count] = $2 }}
/^held / {{
  line = substr($0, 6); id = substr(line, 1, index(line, " ") - 1); line = substr(line, length(id) + 2)
  held[id, ++lines[id]] = line; say("check", line, id)
}}
END {{
  for (i = 1; i <= count; i++) {{
    printf "secrets %s ", ids[i]
    if (!lines[ids[i]]) {{ print "{digest_lines(())}"; continue }}
    fflush(); for (n = 1; n <= lines[ids[i]]; n++) print held[ids[i], n] | "sha256sum"
    close("sha256sum")
  }}
}}'"""
"""The same, with a digest of the secrets of each container of ours, and a number for each secret."""
