# syntax=docker/dockerfile:1
# One image for all processes: web, workers, upkeep and migrations. Neither tests nor the simulator
# of the remote sides are in it: each thing that is copied is named, and .dockerignore holds the rest
# back.

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt requirements-build.txt ./
RUN /opt/venv/bin/pip install --require-hashes -r requirements.txt -r requirements-build.txt
WORKDIR /app
COPY pyproject.toml README.md LICENSE requirements.txt ./
COPY portal portal
COPY jobs jobs
COPY static static
COPY templates templates
COPY wsgi.py gunicorn.conf.py .flaskenv ./
# Only the version and the commands; the code itself runs from /app. The catalogues are compiled.
RUN /opt/venv/bin/pip install --no-deps --no-index --no-build-isolation -e . \
    && find portal/translations -name '*.po' | while read -r po; do \
         /opt/venv/bin/pybabel -q compile -i "$po" -o "${po%.po}.mo"; done
# What is in here, for who must answer "are we affected?": /app/sbom.cdx.json (CycloneDX). It fails
# where the environment is not what the lock says.
COPY tools/packages.py tools/packages.py
RUN /opt/venv/bin/python tools/packages.py sbom > sbom.cdx.json && rm -r tools \
    && /opt/venv/bin/pip uninstall -q -y setuptools pip

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin portal
# Owned by root: the processes cannot change their own code.
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=8000
WORKDIR /app
USER portal
EXPOSE 8000
STOPSIGNAL SIGTERM
# With PORT in the environment gunicorn listens on all interfaces.
CMD ["gunicorn", "wsgi:app"]
