"""What a gunicorn is started and set up with: its logs, its workers, its tallies. `gunicorn.conf.py` composes them.

The process that only starts workers loads this; so nothing here imports Flask or what answers requests.
"""
