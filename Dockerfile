# The pipeline as an image: dependencies are built in one stage, and the other one runs them without root.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python -m venv /venv
COPY requirements.lock ./
COPY etl_pipeline/requirements.txt etl_pipeline/
RUN /venv/bin/python -m pip install --requirement etl_pipeline/requirements.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 SYSTOCK_HOME=/var/lib/systock
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin systock \
    && install -d -o systock -g systock -m 0700 /var/lib/systock \
    && install -d -o systock -g systock -m 0755 /var/lib/systock/inbox
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
USER systock
ENTRYPOINT ["python", "-m", "pipeline_manager.pipeline_flow"]
