# One image, two commands: `stvg serve` (the default) and `stvg worker`. A third, `stvg db upgrade`, runs once before them.
# PyPI's torch for Linux brings the CUDA libraries along; a GPU needs nothing but the NVIDIA container runtime on the host.
FROM python:3.11-slim

LABEL org.opencontainers.image.title="stvg" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN useradd --create-home --uid 10001 stvg
RUN install --directory --owner stvg --group stvg /data

ENV PYTHONUNBUFFERED=1 \
    STVG_HOST=0.0.0.0 \
    STVG_PORT=9090 \
    STVG_DATA_DIR=/data \
    HF_HOME=/data/huggingface

WORKDIR /app

# The dependencies first: this layer is rebuilt only when a pin changes, not at every change of the code.
COPY constraints.txt ./
RUN python -m pip install --no-cache-dir --constraint constraints.txt torch==2.13.0 transformers scipy
COPY pyproject.toml README.md LICENSE ./
COPY labeling_config ./labeling_config
COPY migrations ./migrations
COPY stvg_core ./stvg_core
COPY backend ./backend
# Which extras of pyproject.toml: postgres, with gpu or cloud; ray for the machines of a cluster (docs/deployment.md).
ARG EXTRAS=postgres
RUN python -m pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

USER stvg
VOLUME /data
EXPOSE 9090

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9090/health', timeout=4)"]

CMD ["stvg", "serve"]
