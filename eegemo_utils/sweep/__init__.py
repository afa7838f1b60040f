"""Many runs: a sweep file names them, a Dask cluster runs each as an ordinary run in a folder of its own.

``eegemo sweep SWEEP.yaml --out OUT`` leaves behind:

===========================  ===============================================================================
``OUT/sweep.json``           the sweep as resolved, written whole or not at all, first before any run starts
``OUT/<run>/``               a run as ``eegemo run --out OUT/<run>`` leaves it: see ``eegemo_utils.runs.folders``
``OUT/<run>/<paper>.ipynb``  the executed notebook, there only when the run is whole
``OUT/<run>/metrics.json``   metrics, parameters, provenance, time, memory, and ``fingerprint``
``OUT/<run>/error.json``     only after a run that failed: ``{"cell": 5 or null, "error": "one line",
                             "kind": "raised", "attempts": 1}``
===========================  ===============================================================================

``sweep.json`` holds ``{"sweep": NAME, "notebooks": [...], "runs": [...]}`` with one entry a run, in the sweep's order::

    {"name": "gru-seed=0-protocol=by_trial",   # the folder's name: notebook, settings file, what varies
     "notebook": "gru",
     "parameters": {"seed": 0, ...},           # the given ones, typed; metrics.json has all, defaults included
     "varied": ["seed", "protocol"],           # the parameters that tell the runs of this block apart
     "status": "done",                         # done | failed | damaged | left: see eegemo_utils.runs.states
     "attempts": 1,                            # how often it was started; more than 1 after a process had died
     "seconds": 34.2,                          # of the last attempt, null when it never ran
     "error": null}                            # one line with the cell, as in error.json; null unless failed

Kinds of error: ``raised`` (a cell raised), ``timeout`` (the time limit), ``parameters`` (what the notebook does not
take) and ``data`` (no such dataset, folder or device), for which no kernel was started, ``killed`` (the kernel or its
worker died, each time it was tried), ``disk`` (a file could not be written). A run is skipped when it is done and
neither its parameters nor the code of the notebook and of this package have changed; figures lie in
``OUT/<run>/figures/``.
"""
