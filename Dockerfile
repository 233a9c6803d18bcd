# Hakken in a container:
#   docker build -t hakken . && docker run --read-only --tmpfs /tmp -v hakken:/var/cache/hakken -p 8080:8080 hakken
# Settings are environment variables (docs/reference/settings.md); a web server with TLS belongs in front of it.
FROM python:3.11.14-slim-bookworm AS build
COPY deploy/requirements.txt /build/requirements.txt
RUN python -m venv /opt/hakken \
    && /opt/hakken/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /build/requirements.txt \
    && /opt/hakken/bin/pip uninstall --yes pip setuptools

FROM python:3.11.14-slim-bookworm
ENV PATH=/opt/hakken/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PORT=8080 \
    HAKKEN_CACHE_DIR=/var/cache/hakken
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin hakken \
    && install --directory --owner=hakken --group=hakken /var/cache/hakken
COPY --from=build /opt/hakken /opt/hakken
WORKDIR /srv/hakken
COPY ars_app.py make_recommendations.py create_gcs_local_file.py gunicorn.conf.py ./
COPY templates templates
COPY static static
COPY hakken hakken
# The file system is read-only later: then Python could not keep what it has compiled.
RUN python -m compileall -q .
USER 10001:10001
VOLUME ["/var/cache/hakken"]
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-m", "hakken.serving.healthcheck"]
STOPSIGNAL SIGTERM
CMD ["python", "-m", "hakken.serving"]
