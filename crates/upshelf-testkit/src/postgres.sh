# Runs a throw-away PostgreSQL server until its standard input closes, which the system does for us when the test
# process ends, however it ends; then stops the server and removes its folder.
# $1 folder with the server's programs · $2 empty data folder · $3 port · $4.. how to run them (setpriv as root)
programs=$1 folder=$2 port=$3
shift 3
trap 'rm -rf "$folder"' EXIT

"$@" "$programs/initdb" --pgdata "$folder/data" --username upshelf --auth trust \
    --encoding UTF8 --locale C.UTF-8 --no-sync </dev/null >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; exit 1; }

# Nothing has to survive a power cut, so nothing waits for the disk.
options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$folder -c max_connections=400"
options="$options -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
"$@" "$programs/pg_ctl" --pgdata "$folder/data" --log "$folder/server.log" --wait --timeout 60 --silent \
    --options "$options" start </dev/null >/dev/null 2>&1 || { cat "$folder/server.log" >&2; exit 1; }

echo ready
read -r _
"$@" "$programs/pg_ctl" --pgdata "$folder/data" --mode immediate --silent stop </dev/null >/dev/null 2>&1
