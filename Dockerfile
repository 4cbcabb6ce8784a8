# syntax=docker/dockerfile:1
# One image for all processes: web, workers, upkeep and migrations. The simulator is not in it.

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --require-hashes -r requirements.txt
WORKDIR /app
COPY pyproject.toml README.md ./
COPY portal portal
COPY jobs jobs
COPY static static
COPY templates templates
COPY wsgi.py gunicorn.conf.py .flaskenv ./
# Only the version and the commands; the code itself runs from /app. The catalogues are compiled.
RUN /opt/venv/bin/pip install --no-deps -e . \
    && find portal/translations -name '*.po' 2>/dev/null | while read -r po; do \
         /opt/venv/bin/pybabel -q compile -i "$po" -o "${po%.po}.mo"; done

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /app portal
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PORT=8000
WORKDIR /app
USER portal
EXPOSE 8000
# With PORT in the environment gunicorn listens on all interfaces.
CMD ["gunicorn", "wsgi:app"]
