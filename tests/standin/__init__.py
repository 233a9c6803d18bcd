"""A stand-in for the sites: one small server on loopback that speaks as they do, and fails on demand.

`users` has the lists, `sites` speaks as each site does, `faults` is what can go wrong, and `server` puts them together.
A test takes the fixture `standin`.
"""
