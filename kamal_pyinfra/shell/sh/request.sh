# A request through the proxy, by whatever a host has for it.
#
# Each `by_…` is given ADDRESS PORT SCHEME NAME PATH SECONDS; an IPv6 address has brackets. The settings of a proxy for
# going out are not meant for the host's own containers. An app may take ten seconds for an answer; Traefik answers at
# once for a router that it does not have.

has() { command -v "$1" > /dev/null 2>&1; }

# SCHEME
choose_tool() {
  if has curl; then
    tool=by_curl
  elif has python3; then
    tool=by_python3
  elif [ "$1" = http ] && has bash; then
    tool=by_bash
  elif [ "$1" = http ] && perl -MIO::Socket::IP -e 1 2> /dev/null; then
    tool=by_perl
  elif [ "$1" = https ] && has openssl; then
    tool=by_openssl
  elif has wget; then
    tool=by_wget
  else tool=; fi
}

by_curl() {
  curl -q -s -i -k --http1.1 --noproxy '*' --connect-timeout 1 --max-time "$6" \
    --connect-to "::$1:$2" "$3://$4:$2$5"
}

# No line of it may need its indentation, which is not sent.
by_python3() {
  bare=${1#[}
  timeout "$6" python3 -c '
import socket, ssl, sys
address, port, scheme, name, path, seconds = sys.argv[1:]
connection = socket.create_connection((address, int(port)), float(seconds))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
if scheme == "https": connection = context.wrap_socket(connection, server_hostname=name)
connection.sendall(("GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" % (path, name)).encode())
for got in iter(lambda: connection.recv(4096), b""): sys.stdout.buffer.write(got)
' "${bare%]}" "$2" "$3" "$4" "$5" "$6"
}

by_bash() {
  bare=${1#[}
  # shellcheck disable=SC2016
  timeout "$6" bash -c 'exec 3<> "/dev/tcp/$1/$2" || exit 7
printf "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" "$5" "$4" >&3
cat <&3' bash "${bare%]}" "$2" "$3" "$4" "$5"
}

by_perl() {
  bare=${1#[}
  # shellcheck disable=SC2016
  timeout "$6" perl -MIO::Socket::IP -e '
    my ($address, $port, $scheme, $name, $path, $seconds) = @ARGV;
    my $socket = IO::Socket::IP->new(PeerHost => $address, PeerPort => $port, Timeout => $seconds) or exit 7;
    print $socket "GET $path HTTP/1.0\r\nHost: $name\r\n\r\n"; print while <$socket>
  ' "${bare%]}" "$2" "$3" "$4" "$5" "$6"
}

by_openssl() {
  printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' "$5" "$4" |
    timeout "$6" openssl s_client -quiet -ign_eof -connect "$1:$2" -servername "$4"
}

by_wget() (
  unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY
  [ "$3" = http ] || set -- "$@" --no-check-certificate
  url="$3://$1:$2$5"
  name=$4
  seconds=$6
  shift 6
  timeout "$seconds" wget -q -S -O - "$@" --header "Host: $name" "$url" 2>&1
)

request() {
  choose_tool "$3"
  [ -n "$tool" ] || return 1
  "$tool" "$@" 2> /dev/null < /dev/null | head -c 16384 | LC_ALL=C tr -cd '\12\40-\176'
}

# ADDRESS PORT SCHEME NAME PATH ANSWER SECONDS → `outcome`: empty (nothing answers there), `yes`, `gone` (Traefik has the
# router, and does not reach the container), `slow`, `unclear` (busybox shows no headers of an error), or the status of
# an answer that came some other way. Traefik's own error pages are as long as their texts: Bad Gateway, Gateway
# Timeout, Service Unavailable, no available server.
ask_gate() {
  newline='
'
  now
  asked=$now outcome=''
  got=$(request "$1" "$2" "$3" "$4" "$5" "$7")
  now
  case "$got" in
    *HTTP/[1-3]*) ;;
    '')
      [ $((now - asked)) -lt $(($7 * 100 - 20)) ] || outcome=slow
      return
      ;;
    *) return ;;
  esac
  got=HTTP/${got#*HTTP/}
  got=${got%%"$newline$newline"*}
  status=${got#* }
  status=${status%%[!0-9]*}
  case "$got$newline" in
    *"X-Kp-Gate: $6$newline"*)
      outcome=yes
      case "$status $got$newline" in
        50[234]*ontent-Length:\ 1[159]"$newline"* | 50[234]*ontent-Length:\ 20"$newline"*) outcome=gone ;;
      esac
      ;;
    *'wget: server returned error'*) outcome=unclear ;;
    *) outcome=$status ;;
  esac
}
