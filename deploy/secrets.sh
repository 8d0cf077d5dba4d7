#!/bin/sh
# Makes the files of secrets that compose.yaml and kubernetes/base read; keeps those that are there.
#   sh deploy/secrets.sh compose       the stores are those of compose.yaml, with new passwords
#   sh deploy/secrets.sh kubernetes    the URLs of your own PostgreSQL and Redis are asked for
# The key of the model server is asked for too, or read from standard input.
set -eu
umask 022 # a container's user reads the files; the folder keeps others on this machine out
cd "$(dirname "$0")"

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

keep() { # name, then what to write if there is no such file
    if [ ! -e "$folder/$1" ]; then
        printf '%s\n' "$2" >"$folder/$1"
    fi
}

ask() { # name, question
    if [ ! -e "$folder/$1" ]; then
        printf '%s: ' "$2" >&2
        if [ -t 0 ]; then stty -echo; fi
        IFS= read -r answer || answer=''
        if [ -t 0 ]; then stty echo && echo >&2; fi
        keep "$1" "$answer"
    fi
}

case "${1:-}" in
compose) folder=secrets ;;
kubernetes) folder=kubernetes/base/secrets ;;
*) sed -n '2,5s/^# //p' "$0" >&2 && exit 2 ;;
esac

mkdir -p "$folder"
chmod 700 "$folder"
ask openai_api_key "Key of the model server (empty: the demo model answers)"
keep token "$(random)"
keep cookie_secret "$(random)"
if [ "$1" = compose ]; then
    keep postgres_password "$(random)"
    keep redis_password "$(random)"
    keep history_url "postgresql+psycopg://chat:$(cat "$folder/postgres_password")@postgres/chat"
    keep redis_url "redis://:$(cat "$folder/redis_password")@redis:6379/0"
else
    ask history_url "PostgreSQL (postgresql+psycopg://USER:PASSWORD@HOST/DATABASE)"
    ask redis_url "Redis (rediss://:PASSWORD@HOST:6379/0)"
fi
echo "The secrets are in deploy/$folder" >&2
