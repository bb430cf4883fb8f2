# The pipeline as an image: the project and what it needs are installed in one stage, the other one runs them without
# root. A change of the code leaves the large layer of dependencies as it is.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /venv
COPY pyproject.toml requirements.lock ./
# Left out: what packages bring for their own tests and for compiling against them, and Arrow's network services.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
    > needed.txt \
    && /venv/bin/python -m pip install --constraint requirements.lock --requirement needed.txt \
    && find /venv -type d -name tests -prune -exec rm -rf {} + \
    && cd /venv/lib/python3*/site-packages/pyarrow && rm -rf include src *flight*
COPY . .
RUN /venv/bin/python -m pip install --no-deps . && /venv/bin/python -m pip uninstall --yes --quiet setuptools pip

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 SYSTOCK_HOME=/var/lib/systock
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin systock \
    && install -d -o systock -g systock -m 0700 /var/lib/systock \
    && install -d -m 0755 /inbox /srv/systock
COPY --from=build /venv /venv
WORKDIR /srv/systock
USER systock
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 CMD ["systock", "alive"]
CMD ["python", "-m", "pipeline_manager.pipeline_flow", "--watch"]
