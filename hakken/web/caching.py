"""How long an answer that says nothing about who asks may be kept."""

from flask import Response, request


def public(response: Response, seconds: int) -> Response:
    """Let any cache keep an answer for some seconds, and ask then, by its tag, whether it has changed."""
    response.cache_control.public = True
    response.cache_control.max_age = seconds
    response.add_etag()
    response.make_conditional(request)
    return response
