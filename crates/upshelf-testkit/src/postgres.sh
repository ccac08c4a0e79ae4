# Runs a throw-away PostgreSQL server until its standard input closes, which the system does for us when the test
# process ends, however it ends; then stops the server and removes its folder.
# $1 folder with the server's programs · $2 empty data folder · $3 port · $4 what an acknowledged commit outlives: `program` when
# the server may be killed, else `nothing` · $5.. how to run them (setpriv as root)
# Orders come one a line, and each is answered with one line: end, run.
programs=$1 folder=$2 port=$3 outlives=$4
shift 4
trap 'rm -rf "$folder"' EXIT

"$@" "$programs/initdb" --pgdata "$folder/data" --username upshelf --auth trust \
    --encoding UTF8 --locale C.UTF-8 --no-sync </dev/null >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; exit 1; }

# Nothing has to survive a power cut, so nothing waits for the disk.
options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder -c max_connections=400"
options="$options -c fsync=off -c full_page_writes=off"
# What was written to the system outlives the server; what still lies in its own buffers does not.
[ "$outlives" = program ] || options="$options -c synchronous_commit=off"

run() {
    "$@" "$programs/pg_ctl" --pgdata "$folder/data" --log "$folder/server.log" --wait --timeout 60 --silent \
        --options "$options" start </dev/null >/dev/null 2>&1
}

run "$@" || { cat "$folder/server.log" >&2; exit 1; }
echo ready
while read -r order; do
    case $order in
    end)
        kill -KILL "$(head -n 1 "$folder/data/postmaster.pid")"
        echo yes
        ;;
    run)
        # The processes behind the connections end by themselves, and none may be left.
        tries=0
        until run "$@"; do
            tries=$((tries + 1))
            [ "$tries" -lt 100 ] || break
            sleep 0.1
        done
        if [ "$tries" -lt 100 ]; then echo yes; else echo no; fi
        ;;
    esac
done
"$@" "$programs/pg_ctl" --pgdata "$folder/data" --mode immediate --silent stop </dev/null >/dev/null 2>&1
