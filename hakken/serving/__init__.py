"""How gunicorn is started and what its threaded worker lacks. Nothing here knows the application."""
