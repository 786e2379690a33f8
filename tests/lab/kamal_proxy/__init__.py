"""A stand-in for kamal-proxy 0.9.2, for labs that cannot have the real one.

The same command line, state file, answers and timing, as far as deploys can tell; `test_kamal_proxy.py` is the contract
that both are held to. Not here: HTTP/2 and HTTP/3, certificates from an authority (a handshake for one fails), metrics.
"""
