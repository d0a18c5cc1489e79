# After enter.sh: the scripts are here already. They are what they are called, or count as absent.
[ "$(sha256sum < "$agent" 2> /dev/null)" = "$digest  -" ] || exit 90
. "./$agent"
eval "$line"
