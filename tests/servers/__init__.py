"""The whole way of a bundle on real SSH servers and shells, as a table of yes and no.

Each server is Debian's own of some suite, unpacked with all that it needs and run in a mount
namespace on loopback: native programs of this machine's kind, since servers and shells differ by
version and not by processor. What ARM adds is tested on the virtual boards.
"""
