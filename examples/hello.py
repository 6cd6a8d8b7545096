"""What every user of the cluster writes first."""

import ipyparallel as ipp

c = ipp.Client(profile="ssh")
print(c.ids)
print(c[:].apply_sync(lambda: "Hello World"))
