# What may be told of a service's newest lines, as a command of our own image in a container without a network says: raw
# lines never leave the host. Run by root with `sh`; given are $service, $image and $lines.
set -eu
: "${service:?}" "${image:?}" "${lines:?}"
id="$(docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.service=$service" | head -n 1)"
if [ -z "$id" ]; then exit 0; fi
docker rm --force frostbyte-support >/dev/null 2>&1 || true
timeout 30 docker logs --tail "$lines" "$id" 2>&1 |
    timeout 50 docker run --rm --interactive --name frostbyte-support --pull never --network none --read-only \
        --cap-drop ALL --security-opt no-new-privileges --tmpfs /tmp:size=16m --memory 512m --pids-limit 64 \
        --log-driver none --entrypoint frostbyte "$image" plane logs |
    tail -c 900000
