"""What those who run a server can see of it: a line and an id for each request, and metrics."""

from hakken.web.seeing.metrics import Metrics
from hakken.web.seeing.page import metrics_page
from hakken.web.seeing.requests import request_id, watch_requests

__all__ = ["Metrics", "metrics_page", "request_id", "watch_requests"]
