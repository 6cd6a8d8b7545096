"""As hello.py, for a controller reached by IPv6, which ZeroMQ dials only if it is told to."""

import ipyparallel as ipp
import zmq

zmq.Context.instance().IPV6 = 1
c = ipp.Client(profile="ssh")
print(c.ids)
print(c[:].apply_sync(lambda: "Hello World"))
