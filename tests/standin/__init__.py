"""A stand-in for the sites: one small server on loopback that speaks as they do, and fails on demand.

`users` has the lists and `titles` the anime, `sites` and `anime` speak of them as each site does, `covers` draws their
pictures, `faults` is what can go wrong, `server` puts them together, and `app` is the app in front of it. A test takes
the fixture `standin` of `server`.
"""
