"""Measurements that anyone can repeat.

``python -m benchmarks`` measures fsworkers beside its peers; ``python -m benchmarks.NAME`` runs
what stands apart: ``chaos`` and the ``graceful_…`` modules.
"""
