"""What gunicorn needs: logging, workers and metric files. `gunicorn.conf.py` composes them.

The process that only starts workers loads this, so nothing here imports Flask or the application.
"""
