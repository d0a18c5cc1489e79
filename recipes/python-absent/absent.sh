# sh absent.sh TRIPLE MODULE FLAG…: makes libpython-absent.so beside the extension module, with all
# that it asks of Python. Types, exceptions and singletons are objects, all else are functions.
triple=$1 module=$2
shift 2
asked=$("$triple-nm" --dynamic --undefined-only "$module" |
  awk '$1 == "U" && $2 ~ /^_?Py/ {print $2}')
objects='_Type$|^PyExc_|Struct$'
"$triple-gcc" -O2 "$@" -shared -fPIC -Wl,-soname,libpython-absent.so \
  -DFUNCTIONS="$(echo "$asked" | grep -vE "$objects" | sed 's/.*/X(&)/' | tr '\n' ' ')" \
  -DOBJECTS="$(echo "$asked" | grep -E "$objects" | sed 's/.*/X(&)/' | tr '\n' ' ')" \
  -o "${module%/*}/libpython-absent.so" "${0%/*}/absent.c"
