#!/bin/sh
# What `ippctl` is on the PATH. `ippctl status` and `ippctl health` are asked for at all containers of a
# host at once, and to start Python for that takes ten times as long as the answer. Whatever is not a
# plain answer is left to ippctl itself.
case $* in
  status | health)
    request="{\"command\": \"$1\", \"options\": {}, \"stdin\": null}"
    # shellcheck disable=SC2016 # a script of its own
    answer=$(timeout 5 s6-ipcclient -l 0 /run/ipp/agent.sock \
      sh -c 'printf "%s\n" "$1" >&7; exec head -n 1 <&6' ask "$request" 2>/dev/null)
    case $answer in
      '{"output": {'*'}, "errors": []}')
        answer=${answer#'{"output": '}
        printf '%s\n' "${answer%', "errors": []}'}"
        exit
        ;;
    esac
    ;;
esac
exec /opt/ipp/ippctl "$@"
