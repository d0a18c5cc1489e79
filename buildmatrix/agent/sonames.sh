# The names of the shared libraries in the folders of this board's loader, one a line, then `end`.
# Needs probe.sh. Not asked at a deploy: a Raspberry Pi OS has some 1000 of them.

sonames() {
    own=$(machine /bin/sh)
    for folder in /usr/local/lib /lib/*-linux-* /usr/lib/*-linux-* /lib /usr/lib /lib64 /usr/lib64; do
        for file in "$folder"/lib*.so.*; do
            [ -f "$file" ] || continue
            # The first one answers for its folder: to look into each takes a Pi a minute.
            [ "$(machine "$file")" != "$own" ] || ls "$folder"
            break
        done
    done 2> /dev/null | grep -E '^(lib.*|ld-.*)\.so(\.|$)' | sort -u
    echo end
}
