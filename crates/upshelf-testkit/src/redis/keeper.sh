# Runs a throw-away Redis server, as often as it is told to, until its standard input closes, which the system does for
# us when the test process ends, however it ends; then kills the server and removes its folder.
# $1 the server's folder · $2.. the server's command line
# Orders come one a line, and each is answered with one line: run, signal NAME, end, alive.
folder=$1
shift
server=

end() {
    if [ -n "$server" ]; then
        kill -KILL "$server" 2>/dev/null
        wait "$server" 2>/dev/null
    fi
    server=
}
trap 'end; rm -rf "$folder"' EXIT
trap exit HUP INT TERM

while read -r order name; do
    case $order in
    run)
        end
        "$@" </dev/null >>"$folder/output" 2>&1 &
        server=$!
        echo "$server"
        ;;
    signal) if kill -s "$name" "$server"; then echo yes; else echo no; fi ;;
    end)
        end
        echo yes
        ;;
    # The list of jobs is read first, because that is when the shell learns of an end.
    alive) if jobs >/dev/null && kill -0 "$server"; then echo yes; else echo no; fi ;;
    esac
done
