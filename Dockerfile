# Builds with docker, podman and buildah: docker build -t zoetrope:0.1.0 .
# The base may be any Debian-like image with CPython 3.11 to 3.13, its venv module and CA certificates.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

# Everything is installed here, by pins with hashes; pip and the build tools stay behind.
FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
RUN python3 -m venv /opt/build \
 && python3 -m venv --without-pip /opt/zoetrope
RUN /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements/build.txt
RUN /opt/build/bin/pip --python /opt/zoetrope/bin/python install --require-hashes --only-binary :all: -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY providers providers
RUN /opt/build/bin/hatchling build --target wheel --directory /opt/wheel
RUN /opt/build/bin/pip --python /opt/zoetrope/bin/python install --no-deps --no-index /opt/wheel/zoetrope_bot-*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Zoetrope" \
      org.opencontainers.image.description="A self-hosted image-to-video bot for Discord and Slack" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/zoetrope /opt/zoetrope
# A new volume takes over this folder's owner.
RUN install -d -m 0700 -o 10001 -g 10001 /data
ENV PATH=/opt/zoetrope/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/data \
    ZOETROPE_DATA=/data
USER 10001:10001
VOLUME /data
# Here ./config.toml is read, if there is one.
WORKDIR /data
STOPSIGNAL SIGTERM
# In an image of the OCI format there is no health check: buildah and podman need --format docker.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["zoetrope", "health"]
ENTRYPOINT ["zoetrope"]
CMD ["run"]
