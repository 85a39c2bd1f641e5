"""What one pass over a capture counts: hops, paths, ends, drops, steps, flows, questions without an answer.

    from pywnv.statistics.collect import collect
    statistics = collect([path, ...], selection=None, window=None, topology=None, progress=..., warn=...)

`pywnv.statistics.model` describes what comes back.
"""
