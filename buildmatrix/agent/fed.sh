# After enter.sh, where something is sent: it begins with empty lines and a line of the mark, so that
# a `read` in a start-up file, which takes a line, takes none that counts. What takes more is told.
while :; do IFS= read -r text || exit 94; case $text in "$mark") break ;; ?*) exit 94 ;; esac; done
