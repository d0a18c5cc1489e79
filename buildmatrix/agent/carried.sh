# After enter.sh: the scripts come first on stdin. Kept for the next call where that is wanted and
# there is room, in one step: many may do it at once. `read` takes no byte too many; head would.
text="" break=$(printf "\n_")
break=${break%_}
while IFS= read -r one; do [ "$one" = "end $digest" ] && break; text=$text$one$break; done
[ "$(printf %s "$text" | sha256sum)" = "$digest  -" ] || exit 93
[ "$mode" = look ] || [ "$fresh" ] || { mkdir -p agent && printf %s "$text" > "agent/.$mark" && mv -f "agent/.$mark" "$agent"; } 2> /dev/null
unset one break
eval "$text"
eval "$line"
