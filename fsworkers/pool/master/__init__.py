"""The process that scans, dispatches, records: loop, fleet of workers, links."""
