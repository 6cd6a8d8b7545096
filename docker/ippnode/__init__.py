"""What runs inside a container of the cluster: engines or the controller, and what keeps them up.

s6 -> __main__ -> forkserver   imports ipyparallel once; parent of all that follows
                  |- worker or controller   the agent: decides what runs, answers ippctl
                  |- engine                 one ipengine per slot (worker)
                  `- hub                    ipcontroller (controller)
"""
