"""The one HTTP client: deadline, retries, limits, cache and breaker; and what it gives back."""

from hakken.http.answers import Answer, check_status
from hakken.http.client import HttpClient
from hakken.http.deadline import Deadline
from hakken.http.pace import Pace

__all__ = ["Answer", "Deadline", "HttpClient", "Pace", "check_status"]
