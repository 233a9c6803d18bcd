"""What keeps a server up and its visitors safe: limits, places, deadlines, headers, and whom to believe."""

from hakken.web.guard.gate import Gate, refuse_when_full
from hakken.web.guard.headers import secure_headers, secure_transport
from hakken.web.guard.limits import limit_requests
from hakken.web.guard.proxies import believe_proxies

__all__ = [
    "Gate",
    "believe_proxies",
    "limit_requests",
    "refuse_when_full",
    "secure_headers",
    "secure_transport",
]
