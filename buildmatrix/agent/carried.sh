# After enter.sh: on stdin comes first the size of the scripts, in a line, then they. Kept for the next
# call where that is wanted and there is room, in one step: many may do it at once. dd reads no byte
# too many and does not stop at a short read; head would, and the shell's own `read` asks the kernel
# for each byte: ten seconds on an emulated board.
text="" size=0
IFS= read -r size
while [ "${#text}" -lt "$size" ]; do one=$(dd bs=$((size - ${#text})) count=1 2> /dev/null; printf _); [ "$one" = _ ] && break; text=$text${one%_}; done
[ "$(printf %s "$text" | sha256sum)" = "$digest  -" ] || { command -v dd > /dev/null || echo "dd: not found" >&2; exit 93; }
[ "$mode" = look ] || [ "$fresh" ] || { { [ -d agent ] || mkdir -p agent; } && printf %s "$text" > "agent/.$mark" && mv -f "agent/.$mark" "$agent"; } 2> /dev/null
unset one size
eval "$text"
eval "$line"
