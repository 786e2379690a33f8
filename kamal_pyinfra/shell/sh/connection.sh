# sshd leaves a command without terminal running when its connection drops. Nothing may go on unattended, since a rerun
# may already be deciding on what it finds; so the command watches the sshd that it runs under. It finds that without
# starting a program: every command of a deploy begins with this.
end_with_connection() {
  above=$$
  while [ "$above" -gt 1 ] && read -r name < "/proc/$above/comm"; do
    case "$name" in
      sshd* | dropbear*)
        (
          while [ -d "/proc/$above" ]; do sleep 0.5; done
          kill -TERM 0
        ) > /dev/null 2>&1 &
        watchdog=$!
        trap 'kill "$watchdog" 2> /dev/null' EXIT
        break
        ;;
    esac
    value=1
    while read -r key value && [ "$key" != PPid: ]; do :; done < "/proc/$above/status"
    above=$value
  done
}
