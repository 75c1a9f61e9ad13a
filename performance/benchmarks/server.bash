# Shared by the benchmarks: the build, the local server and the clean-up. Sourced, not run.
#
# Owns every process and file that a benchmark needs but does not measure. Processes are stopped by id, and everything
# is on 127.0.0.1.
#
# Sets BENCHMARKS (this folder), WORK (a temporary directory, removed at exit), RHAID, BARE_REQWEST and BARE_HYPER (the
# programs), and with `start_server` URL, PORT and SERVER (`nginx` or `rhaid target`).
# RHAID_BIN and BARE_BIN_DIR name programs that are already built, for instance those of an older version; if both
# are set, nothing is built.

BENCHMARKS=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
WORK=$(mktemp -d "${TMPDIR:-/tmp}/rhaid-benchmark.XXXXXX")
STARTED=()
PRIORITY=() # what `start_truth` puts before the server, to give it another priority
export LC_ALL=C # awk and `time` write numbers with a point

clean_up() {
    local pid
    for pid in "${STARTED[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf -- "$WORK"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Says why nothing could be measured, and exits with the corresponding status.
give_up() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 2
}

say() {
    printf '%s\n' "$1" >&2
}

build() {
    local root target
    root=$(cd -- "$BENCHMARKS/../.." && pwd)
    target=${CARGO_TARGET_DIR:-$root/target}
    if [[ -z ${RHAID_BIN:-} ]]; then
        say "building rhaid"
        (cd -- "$root" && cargo build --quiet --profile dist --package rhaid --bin rhaid) || give_up "rhaid does not build"
    fi
    # Built separately from rhaid, so that their features do not affect each other's dependencies.
    if [[ -z ${BARE_BIN_DIR:-} ]]; then
        say "building the bare loops"
        (cd -- "$root" && cargo build --quiet --profile dist --package rhaid-benchmarks --bins) ||
            give_up "the bare loops do not build"
    fi
    RHAID=${RHAID_BIN:-$target/dist/rhaid}
    BARE_REQWEST=${BARE_BIN_DIR:-$target/dist}/bare-reqwest
    BARE_HYPER=${BARE_BIN_DIR:-$target/dist}/bare-hyper
    local program
    for program in "$RHAID" "$BARE_REQWEST" "$BARE_HYPER"; do
        [[ -x $program ]] || give_up "expected a program at $program"
    done
}

# Whether something accepts connections on a port.
listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

free_port() {
    local attempt port
    for ((attempt = 0; attempt < 50; attempt++)); do
        port=$((10000 + RANDOM % 20000)) # below the range that clients get theirs from
        if ! listens "$port"; then
            echo "$port"
            return
        fi
    done
    return 1
}

# Starts nginx, or rhaid's own target without latency if nginx is not installed, and waits until it accepts connections.
start_server() {
    PORT=$(free_port) || give_up "found no free port"
    URL=http://127.0.0.1:$PORT/
    if command -v nginx >/dev/null; then
        SERVER=nginx
        write_nginx_conf >"$WORK/nginx.conf"
        nginx -p "$WORK" -c "$WORK/nginx.conf" -e "$WORK/error.log" 2>"$WORK/server.log" &
    else
        SERVER='rhaid target'
        URL+=health
        "$RHAID" target --port "$PORT" --median 0s >"$WORK/server.log" 2>&1 &
    fi
    STARTED+=($!)
    wait_until_it_listens "$SERVER"
}

# Starts the server that records its true response times, with the given arguments, and waits until it accepts
# connections. Sets PORT.
start_truth() {
    local truth
    truth=$(dirname -- "$BARE_REQWEST")/truth
    [[ -x $truth ]] || give_up "expected a program at $truth"
    PORT=$(free_port) || give_up "found no free port"
    "${PRIORITY[@]}" "$truth" --port "$PORT" "$@" 2>"$WORK/server.log" &
    STARTED+=($!)
    wait_until_it_listens truth
}

wait_until_it_listens() {
    local attempt
    for ((attempt = 0; attempt < 100; attempt++)); do
        listens "$PORT" && return
        sleep 0.1
    done
    give_up "$1 does not listen on port $PORT: $(tail -n 3 "$WORK/server.log")"
}

# One worker that responds with 38 bytes from memory, never closes a connection and counts what it serves.
write_nginx_conf() {
    local files
    files=$(ulimit -n)
    [[ $files != unlimited ]] && ((files < 20000)) || files=20000
    cat <<CONF
worker_processes 1;
worker_rlimit_nofile $files;
daemon off;
pid $WORK/nginx.pid;
error_log $WORK/error.log;
events {
    worker_connections $files;
    multi_accept on;
}
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    tcp_nodelay on;
    client_body_temp_path $WORK/body;
    proxy_temp_path $WORK/proxy;
    fastcgi_temp_path $WORK/fastcgi;
    uwsgi_temp_path $WORK/uwsgi;
    scgi_temp_path $WORK/scgi;
    server {
        listen 127.0.0.1:$PORT backlog=4096;
        default_type application/json;
        location / { return 200 '{"status":"ok","service":"benchmark"}\n'; }
        location = /nginx-status { stub_status; }
    }
}
CONF
}

# Prints nginx's counters as "CONNECTIONS REQUESTS": those open now and those served since its start. The call itself
# is one of each. Prints "- -" if the server is not nginx.
served() {
    if [[ $SERVER != nginx ]]; then
        echo '- -'
        return
    fi
    exec 3<>"/dev/tcp/127.0.0.1/$PORT"
    printf 'GET /nginx-status HTTP/1.0\r\n\r\n' >&3
    awk '/^Active connections:/ { open = $3 } /^ [0-9]/ { requests = $3 } END { print open, requests }' <&3
    exec 3>&-
}
