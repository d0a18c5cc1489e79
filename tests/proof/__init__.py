"""The differential proof of the audit: programs made here are run, and the audit is asked.

case       one program or tree: its sources, how it is built, what it is
cases      all of them, by what they try
compilers  Debian's GCC and clang in folders of their own, zig from PyPI
userlands  the loaders and libraries of Debian 11, 12 and 13, unpacked from their packages
boards     what executes: qemu-user by processor, and whole machines under a kernel of their own
judging    the audit's verdict on a tree for one board
table      verdict against outcome, as a document
facts      the audit's facts against readelf and objdump, on libraries that others made
"""
