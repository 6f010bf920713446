#!/bin/sh
# Walks through docs/guide.md: starts the stand-in for X and the application on a state directory
# of their own, runs the guide's `sh` blocks in order, and ends both.
#   docs/walkthrough.sh [port of the application, default 4300] [port of the stand-in, 4301]
set -eu
cd "$(dirname "$0")/.."
BASE="http://127.0.0.1:${1:-4300}"
X="http://127.0.0.1:${2:-4301}"
secret() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }
PASSWORD=$(secret | tr -d '+/=')
export BASE X PASSWORD

place=$(mktemp -d)
fake= app=
finish() {
    status=$?
    for process in $app $fake; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    if [ "$status" != 0 ]; then
        tail -n 40 "$place/fake-x.txt" "$place/app.txt" >&2 || true
    fi
    rm -rf "$place"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Built as everything is built, then started without cargo in between, so that they can be ended.
cargo components
cargo build --bin vivesphere --bin fake-x
target/debug/fake-x --listen "${X#http://}" >"$place/fake-x.txt" 2>&1 &
fake=$!
SPIN_VARIABLE_BOOTSTRAP_ADMIN_PASSWORD=$PASSWORD \
SPIN_VARIABLE_JWT_SIGNING_KEY=$(secret) \
SPIN_VARIABLE_VAULT_KEY=$(secret) \
SPIN_VARIABLE_SERVICE_KEY=$(secret) \
    target/debug/vivesphere up --listen "${BASE#http://}" --state-dir "$place/state" \
    --variable public_base_url="$BASE" \
    --variable x_api_base_url="$X" \
    --variable x_authorize_url="$X/i/oauth2/authorize" \
    --variable x_client_id=fake-client \
    --variable x_client_secret=fake-client-secret >"$place/app.txt" 2>&1 &
app=$!

tries=0
until curl --silent --fail --output /dev/null "$BASE/api/v1/health"; do
    kill -0 "$app"
    tries=$((tries + 1))
    test "$tries" -lt 180
    sleep 1
done

awk '/^```/ { inside = ($0 == "```sh"); print ""; next } inside' docs/guide.md >"$place/guide.sh"
sh -eu "$place/guide.sh"
echo
echo "The walk through docs/guide.md is done."
